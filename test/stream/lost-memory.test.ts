/** Memory that goes away while it is in use: transferred to another thread, or shrunk. An error at most, no crash. */
import { MessageChannel } from 'node:worker_threads'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Frame, UsageError } from '../../src/stream/index.js'
import { fill, named, namesOf, pattern, readinesses, same, streamPair, take, text, until } from '../support/streams.js'

/** Newer than the language level that is compiled for; every Node that runs this has it. */
const ResizableBuffer = ArrayBuffer as unknown as new (
  length: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(length: number): void }

/** Detaches a buffer as far as the engine lets us. */
function giveAway(buffer: ArrayBufferLike): void {
  const { port1, port2 } = new MessageChannel()
  try {
    port1.postMessage(buffer, [buffer as ArrayBuffer])
  } catch {
    // Marked as not to be transferred.
  } finally {
    port1.close()
    port2.close()
  }
}

describe.each(['transferred', 'shrunk'])('a payload that waits and is %s', (how) => {
  function loseWhileQueued(descriptors: boolean) {
    const [a, b] = streamPair()
    fill(a)
    const buffer = new ResizableBuffer(50_000, { maxByteLength: 50_000 })
    a.send(new Uint8Array(buffer), descriptors ? [named('waits')] : undefined, { transfer: true })
    if (how === 'shrunk') buffer.resize(10)
    else giveAway(buffer)
    return [a, b] as const
  }

  test.each([false, true])('ends the stream with a clear error (with a descriptor: %s)', async (descriptors) => {
    const [a, b] = loseWhileQueued(descriptors)
    const flushed = expect(a.flush()).rejects.toBeInstanceOf(UsageError)
    const closed = expect(a.closed).rejects.toThrow(/lost their memory/)
    b.on('error', () => {})
    b.on('frame', (frame) => frame[Symbol.dispose]())
    await Promise.all([flushed, closed])
  })

  test('does not matter once it is in the kernel', async () => {
    const [a, b] = streamPair()
    const payload = pattern(50_000, 3)
    a.send(payload)
    await a.flush()
    giveAway(payload.buffer)
    const [frame] = await take(b, 1)
    expect(same(frame!.payload, pattern(50_000, 3))).toBe(true)
  })
})

test('a small payload that waits was copied: it may go away', async () => {
  const [a, b] = streamPair()
  const filled = fill(a)
  const payload = Uint8Array.from(Buffer.from('small'))
  a.send(payload)
  giveAway(payload.buffer)
  const frames = await take(b, filled + 1)
  expect(text(frames.at(-1)!.payload)).toBe('small')
})

describe.each(readinesses)('with readiness %s', (readiness) => {
  test('a batch whose memory is given away in the callback costs at most the stream', async () => {
    const [a, b] = streamPair({ readiness })
    let batches = 0
    b.onBatch((batch) => {
      batches++
      giveAway(batch.bytes.buffer)
    })
    b.on('error', (error) => expect(error).toBeInstanceOf(UsageError))
    a.on('error', () => {})
    // Frames of which each wake-up ends inside one.
    for (let i = 0; i < 100 && !a.destroyed; i++) {
      a.send(pattern(7_777), [named(i)], { transfer: true })
      a.send(pattern(20_000))
    }
    await until(() => batches >= 2 || b.destroyed)

    // Others of this thread go on.
    const [c, d] = streamPair({ readiness })
    c.send(Buffer.from('still here'), [named('too')], { transfer: true })
    const [frame] = await take(d, 1)
    expect([text(frame!.payload), ...namesOf(frame!)]).toEqual(['still here', 'too'])
  })

  test('a frame whose memory is given away takes nothing from its stream', async () => {
    const [a, b] = streamPair({ readiness })
    const count = 50
    const large = 100_000
    for (let i = 0; i < count; i++) a.send(pattern(i % 5 === 0 ? large : 5_000, i))
    const lengths: number[] = []
    const done = new Promise<void>((resolve) => {
      b.on('frame', (frame: Frame) => {
        lengths.push(frame.payload.length)
        if (frame.payload.length === large) giveAway(frame.payload.buffer)
        if (lengths.length === count) resolve()
      })
    })
    await done
    expect(lengths).toEqual(Array.from({ length: count }, (_, i) => (i % 5 === 0 ? large : 5_000)))
  })

  test('a batch object that was kept shows nothing of what comes later', async () => {
    const [a, b] = streamPair({ readiness })
    const kept: Uint8Array[] = []
    let length = 0
    b.onBatch((batch) => {
      length += batch.length
      kept.push(batch.bytes)
      queueMicrotask(() => expect(batch.length).toBe(0))
    })
    onTestFinished(() => expect(kept.length).toBeGreaterThan(0))
    a.send(Buffer.from('x'))
    await until(() => length === 1)
  })
})
