/**
 * A worker thread with a ThreadPort to its parent. As `workerData` says, it:
 * `echo`: posts each message back, its descriptors too; `deaf`: is ready, and never turns its loop again; `gives`: posts a
 * message with descriptors and ends at once.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { Descriptor } from 'pillion'
import { ThreadPort } from 'pillion/adapters/message-port'

const port = new ThreadPort(parentPort)
if (workerData === 'echo') port.on('message', (message) => port.postMessage(message, [...message.descriptors]))
await port.ready
if (workerData === 'deaf') {
  port.postMessage('ready')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
if (workerData === 'gives') {
  const descriptors = [1, 2, 3].map((size) => Descriptor.memfd(size))
  port.postMessage({ descriptors }, descriptors)
  process.exit()
}
