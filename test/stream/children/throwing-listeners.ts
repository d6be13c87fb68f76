/**
 * Consumers that throw, in a process that goes on after an uncaught exception: what they were given all the same.
 * Prints a line of JSON: for each consumer, what was caught and what arrived.
 */
import { adopt, Descriptor, type FrameStream, pair } from '../../../src/stream/index.js'
import { adoptOwned, surrender } from '../../../src/transport/descriptor.js'
import { pairUnix, UnixSocket } from '../../../src/transport/index.js'

const caught: string[] = []
process.on('uncaughtException', (error) => caught.push(error.message))

const text = (payload: Uint8Array) => Buffer.from(payload).toString()

async function sixFrames(consume: (stream: FrameStream, take: (name: string) => void) => void): Promise<unknown> {
  const [a, b] = pair()
  const names: string[] = []
  caught.length = 0
  consume(b, (name) => {
    names.push(name)
    if (name === '2' || name === '3') throw new Error(`at ${name}`)
  })
  for (let i = 1; i <= 6; i++) a.send(Buffer.from(String(i)), [Descriptor.memfd(1)], { transfer: true })
  await a.end()
  await b.end()
  await b.closed
  return { names, caught: [...caught] }
}

const byEvent = await sixFrames((stream, take) =>
  stream.on('frame', (frame) => {
    using _ = frame
    take(text(frame.payload))
  }),
)

const byBatch = await sixFrames((stream, take) =>
  stream.onBatch((batch) => {
    // One at a time, so that there is a batch after the one that throws.
    for (let i = 0; i < batch.length; i++) take(text(batch.frame(i).payload))
  }),
)

const byEnd = await sixFrames((stream, take) => {
  stream.on('frame', (frame) => frame[Symbol.dispose]())
  stream.on('end', () => take('2'))
})

/** The listener of one stream throws at its turn; another stream's write, due at the same time, must still go. */
async function otherStreams(): Promise<unknown> {
  caught.length = 0
  const [a, b] = pair({ highWaterMark: 1 })
  const [c, d] = pair()
  const arrived: string[] = []
  a.on('drain', () => {
    throw new Error('at drain')
  })
  d.on('frame', (frame) => arrived.push(text(frame.payload)))
  // Gathered until the tick ends, those of `a` first.
  for (const name of ['1', '2', '3']) a.send(Buffer.from(name))
  for (const name of ['1', '2', '3']) c.send(Buffer.from(name))
  await c.flush()
  c.send(Buffer.from('4'))
  await c.end()
  await d.end()
  await d.closed
  for (const stream of [a, b]) stream.destroy()
  return { names: arrived, caught: [...caught] }
}

/** A frame whose listener throws, and behind it in the same wake-up one whose memory is not sealed. */
async function badMemoryBehind(): Promise<unknown> {
  caught.length = 0
  const [ours, theirs] = pairUnix()
  const stream = adopt(adoptOwned(ours))
  const unexpected = (error: Error) => {
    throw error
  }
  const handlers = { onReceived: () => 0, onEnd() {}, onReceiveError: unexpected, onSendError: unexpected }
  const peer = new UnixSocket(theirs, { ...handlers, onDeliver() {}, onSent() {}, onPressure() {}, onRefused() {} })
  const lengths: number[] = []
  stream.on('frame', (frame) => {
    lengths.push(frame.payload.length)
    throw new Error('at frame')
  })
  const plain = [0, 0, 0, 0, 0, 0, 0, 0xf1]
  const sealed = [8, 0, 0, 0, 1, 0, 1, 0xf1, 7, 0, 0, 0, 0, 0, 0, 0]
  const bytes = Uint8Array.from([...plain, ...sealed])
  const fds = [surrender(Descriptor.memfd(Buffer.from('content'), { seal: false }))]
  const ride = { fds, owned: true, startsSend: true, endsSend: true, begins: true, group: 1 }
  peer.queue.push({ bytes, start: 0, end: bytes.length, ...ride })
  peer.flush()
  const ended = await stream.closed.then(
    () => 'ended',
    (error: Error) => error.name,
  )
  peer.close()
  return { lengths, ended, caught: [...caught] }
}

const result = { byEvent, byBatch, byEnd, otherStreams: await otherStreams(), badMemoryBehind: await badMemoryBehind() }
process.stdout.write(`${JSON.stringify(result)}\n`)
