/** A worker thread may be terminated at any moment: the process lives on, and everything the thread owned is closed. */
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { addonPath } from '../../src/transport/addon-path.js'

const script = fileURLToPath(new URL('./native-moments.mjs', import.meta.url))
const moments = [
  'idle',
  'reading in a callback',
  'writing in a callback',
  'accepting in a callback',
  'flooded for ever',
  'sending without end',
  'asking without end',
  'making sockets without end',
  'loading the addon',
  'much to be handed over later',
  'lent memory and unconsumed bytes',
  'messages in a callback, one of them spilled',
  'messages without end',
  'closed handles not yet told',
  'exiting in a callback',
  'throwing in a callback',
  'forgotten and half collected',
]

// The hook around each test looks for descriptors that are still open.
describe.each(['level', 'edge'] as const)('terminated by %s readiness', (readiness) => {
  it.each(moments)('while: %s', async (moment) => {
    for (let round = 0; round < 3; round++) {
      const worker = new Worker(script, { workerData: { addon: addonPath, moment, edge: readiness === 'edge' } })
      const failed: unknown[] = []
      worker.on('error', (error) => failed.push((error as Error).message))
      // Not by `once`, which an error ahead of the message would reject: they come by different ports.
      const told = new Promise((resolve) => worker.once('message', resolve))
      const exited = new Promise<number>((resolve) => worker.once('exit', resolve))
      await told
      if (!moment.startsWith('exiting') && !moment.startsWith('throwing')) await worker.terminate()
      expect(await exited).toBe(moment.startsWith('exiting') ? 3 : 1)
      expect(failed).toEqual(moment.startsWith('throwing') ? ['on purpose'] : [])
    }
  })
})
