/**
 * A worker receives a payload by memfd, passes its memory on to the main thread and is terminated: memory-passed-on.mjs HOW.
 * Answers with what the main thread then reads.
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { pair } from 'pillion'
import { answer } from './table.mjs'

const length = 1024 * 1024

/** Ways out of an ArrayBuffer of their own: what they yield may be posted, whatever the first one's marks. */
const ways = {
  'a byte stream': async ({ payload }) => {
    const stream = new ReadableStream({
      type: 'bytes',
      start(controller) {
        controller.enqueue(payload)
        controller.close()
      },
    })
    return (await stream.getReader().read()).value.buffer
  },
  'ArrayBuffer.prototype.transfer': async ({ payload }) => payload.buffer.transfer(),
}

async function receive() {
  const [left, right] = pair({ memfdFrom: 1 })
  left.send(new Uint8Array(length).fill(7))
  const frame = (await right[Symbol.asyncIterator]().next()).value
  const buffer = await ways[workerData](frame)
  parentPort.postMessage(buffer, [buffer])
}

async function outlive() {
  const worker = new Worker(new URL(import.meta.url), { workerData: process.argv[2] })
  const [buffer] = await once(worker, 'message')
  await worker.terminate()
  answer({ length: buffer.byteLength, sevens: new Uint8Array(buffer).every((byte) => byte === 7) })
}

await (isMainThread ? outlive() : receive())
