/**
 * Opens busy workers and ends them, again and again: workers.mjs END ROUNDS, level and edge readiness by turns. Answers with
 * what became of them, and how many more descriptors are open after the last than before the first.
 */
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { pair } from 'pillion'
import { answer } from './table.mjs'

const [end, rounds] = process.argv.slice(2)
const open = () => statSync('/proc/self/fd').size

// A stream of the main thread's lives through all of it.
const [left, right] = pair({ readiness: 'edge' })
const frames = right[Symbol.asyncIterator]()

async function live(round) {
  const readiness = round % 2 === 0 ? 'level' : 'edge'
  const workerData = { readiness, end, name: round, turns: round % 7 }
  const worker = new Worker(new URL('busy-worker.mjs', import.meta.url), { workerData })
  const exited = new Promise((resolve) => worker.once('exit', resolve)) // events.once would reject with its error
  const failed = new Promise((resolve) => worker.once('error', (error) => resolve(error.message)))
  // Some are terminated in full swing, some while they start.
  if (end === 'terminate' && round % 4 === 3) {
    for (let turn = 0; turn < round * 5; turn++) await new Promise(setImmediate)
    await worker.terminate()
    return 'started'
  }
  const said = await Promise.race([once(worker, 'message').then(([message]) => message), failed])
  if (end.startsWith('terminate')) {
    for (let turn = 0; turn < round % 5; turn++) await new Promise(setImmediate)
    await worker.terminate()
  }
  await exited
  return end.startsWith('throw') ? await failed : said
}

// What Node opens once with the first worker is open before the count.
await live(0)
globalThis.gc()
await new Promise(setImmediate)
const before = open()
const said = []
for (let round = 1; round <= Number(rounds); round++) said.push(await live(round))
left.send(Buffer.from('still here'))
const { payload } = (await frames.next()).value
left.destroy()
right.destroy()
answer({ said, grown: open() - before + 2, payload: Buffer.from(payload).toString() })
