/**
 * Frames whose answers come by promises: some at a time, all in order, and none of their descriptors left open.
 */
import { describe, expect, it } from 'vitest'
import { FrameStreamTransport } from '../../src/rpc/index.js'
import { Descriptor, type FrameStream } from '../../src/stream/index.js'
import { streamPair } from '../support/streams.js'

const frames = 200

/** A receiver that notes what it is told, and how many frames have come whenever a promise has gone on. */
function received(stream: FrameStream, onFrame: (text: string) => void = () => {}, options = {}) {
  const transport = new FrameStreamTransport(stream, { answers: 'by promises', ...options })
  const told = { transport, frames: [] as string[], counts: new Set<number>(), ends: 0, descriptors: 0 }
  transport.start({
    onFrame: (payload, descriptors) => {
      expect(told.ends).toBe(0)
      const text = Buffer.from(payload).toString()
      told.frames.push(text)
      told.descriptors += descriptors.length
      for (const descriptor of descriptors) descriptor.close()
      void Promise.resolve()
        .then(() => {})
        .then(() => told.counts.add(told.frames.length))
      onFrame(text)
    },
    onBatchEnd: () => {},
    onEnd: () => told.ends++,
  })
  return told
}

/** So that one wake-up brings them all. */
function sendAll(stream: FrameStream, descriptorAt = -1): void {
  for (let i = 0; i < frames; i++) {
    if (i === descriptorAt) stream.send(Buffer.from(`${i}`), [Descriptor.memfd(Buffer.from('x'))], { transfer: true })
    else stream.send(Buffer.from(`${i}`))
  }
}

const numbers = Array.from({ length: frames }, (_, i) => `${i}`)

describe('FrameStreamTransport, with answers by promises', () => {
  it.each([
    [{ together: 0 }, 'together is a number of frames, from 1 on, not 0'],
    [{ together: -1 }, 'not -1'],
    [{ together: 1.5 }, 'not 1.5'],
    [{ together: Number.NaN }, 'not NaN'],
    [{ together: '5' }, 'not 5'],
    [{ answers: 'later' }, "answers is 'at once' or 'by promises', not later"],
  ])('refuses the options %o, and leaves the stream alone', (options, message) => {
    const [stream] = streamPair()
    expect(() => new FrameStreamTransport(stream, options as never)).toThrow(
      expect.objectContaining({ name: 'UsageError', message: expect.stringContaining(message) }),
    )
    expect(stream.destroyed).toBe(false)
  })

  it.each([{}, { together: 5 }])(
    'hands some frames over at a time, and what follows from them by promises comes before the next: %o',
    async (options) => {
      const [peer, stream] = streamPair()
      const told = received(stream, undefined, options)
      sendAll(peer)
      await expect.poll(() => told.frames).toEqual(numbers)
      const counts = [...told.counts]
      const most = options.together ?? 32
      expect(counts.length).toBeGreaterThanOrEqual(frames / most)
      for (const [i, count] of counts.entries()) expect(count - (counts[i - 1] ?? 0)).toBeLessThanOrEqual(most)
      told.transport.close()
      peer.destroy()
    },
  )

  it('tells of the end behind the last frame', async () => {
    const [peer, stream] = streamPair()
    const told = received(stream)
    sendAll(peer)
    void peer.end()
    await expect.poll(() => told.ends).toBe(1)
    expect(told.frames).toEqual(numbers)
    told.transport.close()
    peer.destroy()
  })

  it('tells of what breaks the stream behind the last frame, once', async () => {
    const [peer, stream] = streamPair()
    const told = received(stream, (text) => {
      if (text === '0') queueMicrotask(() => stream.destroy(new Error('lost')))
    })
    sendAll(peer)
    await expect.poll(() => told.ends).toBe(1)
    expect(told.frames).toEqual(numbers.slice(0, told.frames.length))
    peer.destroy()
  })

  it('closes the descriptors of frames that wait when it is closed', async () => {
    const [peer, stream] = streamPair()
    const told = received(stream, (text) => {
      if (text === '0') queueMicrotask(() => told.transport.close())
    })
    sendAll(peer, frames - 1)
    await expect.poll(() => told.frames.length).toBeGreaterThan(0)
    await peer.end()
    await expect.poll(() => stream.destroyed).toBe(true)
    expect(told.frames.length).toBeLessThan(frames)
    expect(told.descriptors).toBe(0)
    peer.destroy()
  })

  it('gives a frame that waits its own bytes and descriptors', async () => {
    const [peer, stream] = streamPair()
    const told = received(stream)
    sendAll(peer, 150)
    await expect.poll(() => told.frames).toEqual(numbers)
    expect(told.descriptors).toBe(1)
    told.transport.close()
    peer.destroy()
  })
})
