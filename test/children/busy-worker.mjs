/** A worker thread that is busy, says so, and ends as it was told: by itself, by exit, by an exception, or not at all. */
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { beBusy, bePressed } from './busy.mjs'

if (isMainThread) throw new Error('this is a worker')
const { readiness, name, end, turns } = workerData
const busy = await (end === 'terminate under pressure' ? bePressed(readiness) : beBusy(readiness, name))
parentPort.postMessage('busy')
for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
if (end === 'exit') process.exit(0)
if (end === 'exit in a callback') busy.left.once('frame', () => process.exit(0))
if (end === 'throw in a callback') {
  busy.left.once('frame', () => {
    throw new Error('on purpose')
  })
}
if (end === 'throw') throw new Error('on purpose')
// Stays.
parentPort.on('message', () => {})
