/**
 * A thread with its hands full: sockets, a listener, frames queued both ways, descriptors under way, timers that wait.
 * Nothing of it is ever closed here: whoever ends the thread ends all of it.
 */
import { connect, Descriptor, listen, pair } from 'pillion'
import { makeTokens } from './table.mjs'

/** What the collector would take as forgotten. */
const kept = []

/** Everything at once, in the readiness wanted; resolves once it is in full swing. */
export async function beBusy(readiness, name) {
  const tokens = makeTokens(3)
  const options = { readiness, highWaterMark: 16 * 1024 }

  // Frames go round between two ends, for ever.
  const [left, right] = pair(options)
  for (const [from, to] of [
    [left, right],
    [right, left],
  ]) {
    from.on('frame', (frame) => to.send(frame.payload, frame.descriptors, { transfer: true }))
    to.send(Buffer.alloc(100), tokens)
  }

  // Queued and never read: in the kernel, and behind it in our own queue, with duplicates of the descriptors.
  const [full, unread] = pair(options)
  while (full.send(Buffer.alloc(8000), tokens)) {}
  full.send(Buffer.alloc(8000), makeTokens(2), { transfer: true })

  // Received and never consumed, some as frames that JavaScript holds.
  const [source, held] = pair(options)
  const iterator = held[Symbol.asyncIterator]()
  for (let i = 0; i < 20; i++) source.send(Buffer.alloc(10), tokens)
  kept.push(await iterator.next())

  // Messages with their own boundaries, empty and long ones, going round and queued.
  const messages = { ...options, type: 'seqpacket' }
  const [near, far] = pair(messages)
  far.on('frame', (frame) => far.send(frame.payload, frame.descriptors, { transfer: true }))
  near.on('frame', (frame) => near.send(frame.payload, frame.descriptors, { transfer: true }))
  for (const length of [0, 1, 100_000]) near.send(Buffer.alloc(length), tokens)
  const [crowded, deaf] = pair(messages)
  while (crowded.send(Buffer.alloc(8000), tokens)) {}
  kept.push(near, far, crowded, deaf)

  // In the middle of a large frame, whose memory is lent to the socket.
  const [sender, receiver] = pair(options)
  receiver.on('frame', (frame) => kept.push(frame))
  sender.send(Buffer.alloc(2_000_000), tokens)

  // A listener with connections accepted, and one that is left in the backlog.
  const server = await listen(`@pillion-busy-${process.pid}-${name}`, options)
  server.on('connection', (stream) => {
    kept.push(stream)
    stream.on('frame', (frame) => stream.send(frame.payload, frame.descriptors, { transfer: true }))
  })
  for (let i = 0; i < 3; i++) {
    const client = await connect(server.address, options)
    kept.push(client.on('frame', (frame) => client.send(frame.payload, frame.descriptors, { transfer: true })))
    client.send(Buffer.alloc(9), tokens)
  }

  kept.push(left, right, full, unread, source, held, sender, receiver, server, tokens)
  return { left, tokens }
}

/** A receiver that waits on a timer for places in a table that is full of this thread's own; needs a low limit. */
export async function bePressed(readiness) {
  const tokens = makeTokens(3)
  const [left, right] = pair({ readiness, pressureTimeout: 60_000 })
  kept.push(left, right, tokens)
  right.on('frame', (frame) => kept.push(frame))
  try {
    for (;;) kept.push(Descriptor.memfd(1))
  } catch (error) {
    if (error.code !== 'EMFILE') throw error
  }
  for (const descriptor of kept.splice(-10)) descriptor.close()
  left.send(Buffer.alloc(10), tokens)
  await new Promise((resolve) => right.once('pressure', resolve))
  return { left, tokens }
}
