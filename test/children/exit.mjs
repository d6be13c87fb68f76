/** Ends the process at a busy moment: exit.mjs READINESS WHEN TURNS. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { beBusy } from './busy.mjs'

const [readiness, when, turns] = process.argv.slice(2)
const busy = await beBusy(readiness, 'main')
const workers = []
for (let i = 0; i < 2; i++) {
  const workerData = { readiness, name: i, end: 'never', turns: 0 }
  const worker = new Worker(new URL('busy-worker.mjs', import.meta.url), { workerData })
  workers.push(worker)
  await once(worker, 'message')
}
for (let turn = 0; turn < Number(turns); turn++) await new Promise(setImmediate)

const moments = {
  now: () => process.exit(7),
  'in a frame event': () => busy.left.once('frame', () => process.exit(7)),
  'in a batch': async () => {
    const { pair } = await import('pillion')
    const [left, right] = pair({ readiness })
    right.onBatch(() => process.exit(7))
    left.send(Buffer.alloc(10), busy.tokens)
  },
  'while workers end': () => {
    for (const worker of workers) void worker.terminate()
    process.exit(7)
  },
  'by an exception in a frame event': () => {
    process.once('uncaughtException', () => process.exit(7))
    busy.left.once('frame', () => {
      throw new Error('on purpose')
    })
  },
  'by a signal': () => process.kill(process.pid, 'SIGTERM'),
}
await moments[when]()
