/** The same stream as web streams: frames in, frames out, back-pressure and ends kept. */
import { ReadableStream, TransformStream } from 'node:stream/web'
import { describe, expect, test } from 'vitest'
import { ClosedError, type Frame, FrameTooLargeError, type OutgoingFrame } from '../../src/stream/index.js'
import { fill, named, namesOf, pattern, readinesses, streamPair, text, turns } from '../support/streams.js'

describe.each(readinesses)('readable, with readiness %s', (readiness) => {
  test('gives every frame, then closes with the peer’s end', async () => {
    const [a, b] = streamPair({ readiness })
    for (let i = 0; i < 5; i++) a.send(Buffer.from(String(i)), [named(i)], { transfer: true })
    void a.end()
    const names: string[] = []
    for await (const frame of b.readable) names.push(text(frame.payload), ...namesOf(frame))
    expect(names).toEqual(['0', '0', '1', '1', '2', '2', '3', '3', '4', '4'])
  })

  test('takes no frame that was not asked for', async () => {
    const [a, b] = streamPair({ readiness })
    const { readable } = b
    expect(b.readable).toBe(readable)
    const reader = readable.getReader()
    a.send(Buffer.from('one'))
    a.send(Buffer.from('two'), [named('two')], { transfer: true })
    await turns()
    expect(text((await reader.read()).value!.payload)).toBe('one')
    // The second one is the stream's still, which closes it in the end.
  })

  test('fails with what ended the stream', async () => {
    const [, b] = streamPair({ readiness })
    const reader = b.readable.getReader()
    const why = new Error('why')
    const reading = expect(reader.read()).rejects.toBe(why)
    b.destroy(why)
    await reading
    await expect(reader.closed).rejects.toBe(why)
  })

  test('destroys the stream when it is cancelled, also while a frame is on its way to a reader', async () => {
    const [a, b] = streamPair({ readiness })
    for (let i = 0; i < 3; i++) a.send(Buffer.from('x'), [named(i)], { transfer: true })
    const reader = b.readable.getReader()
    namesOf((await reader.read()).value as Frame)
    await turns()
    const reading = reader.read()
    await reader.cancel()
    expect(b.destroyed).toBe(true)
    expect((await reading).done).toBe(true)
    await b.closed
  })

  test('hands an error that it is cancelled with on', async () => {
    const [, b] = streamPair({ readiness })
    const why = new Error('why')
    const closed = expect(b.closed).rejects.toBe(why)
    await b.readable.cancel(why)
    await closed
  })
})

describe.each(readinesses)('writable, with readiness %s', (readiness) => {
  test('sends what is written, and half-closes when it is closed', async () => {
    const [a, b] = streamPair({ readiness })
    const writer = a.writable.getWriter()
    expect(a.writable).toBe(a.writable)
    const given = named('given')
    void writer.write({ payload: Buffer.from('plain') })
    void writer.write({ payload: [Buffer.from('with '), Buffer.from('one')], descriptors: [given], transfer: true })
    await writer.close()
    expect(given.closed).toBe(true)
    const frames: unknown[] = []
    for await (const frame of b) frames.push(text(frame.payload), namesOf(frame))
    expect(frames).toEqual(['plain', [], 'with one', ['given']])
    expect(a.destroyed).toBe(false)
  })

  test('a write waits while the stream is over its mark', async () => {
    const [a, b] = streamPair({ readiness })
    fill(a)
    const writer = a.writable.getWriter()
    let written = false
    const write = writer.write({ payload: pattern(10) }).then(() => {
      written = true
    })
    await turns()
    expect(written).toBe(false)
    b.on('frame', () => {})
    await write
  })

  test.each([{}, { type: 'seqpacket' as const }])(
    'a write is done once its buffers may be written into: %o',
    async (options) => {
      const [a, b] = streamPair({ readiness, ...options })
      const [count, length] = [30, 20_000]
      const writing = (async () => {
        const writer = a.writable.getWriter()
        const payload = [Buffer.alloc(length), Buffer.alloc(length), Buffer.alloc(1000)]
        for (let i = 0; i < count; i++) {
          for (const chunk of payload) chunk.fill(i)
          await writer.write({ payload })
        }
        for (const chunk of payload) chunk.fill(255)
        await writer.close()
      })()
      await turns() // it waits for the peer
      const frames: Uint8Array[] = []
      for await (const { payload } of b) frames.push(payload)
      await writing
      expect(frames.map((payload) => [payload.length, ...new Set(payload)])).toEqual(
        Array.from({ length: count }, (_, i) => [2 * length + 1000, i]),
      )
    },
  )

  test('destroys the stream when it is aborted', async () => {
    const [a] = streamPair({ readiness })
    const why = new Error('why')
    const closed = expect(a.closed).rejects.toBe(why)
    await a.writable.abort(why)
    await closed
    expect(a.destroyed).toBe(true)
  })

  test('a frame that can never be sent fails its write', async () => {
    const [a] = streamPair({ readiness, maxPayload: 10 })
    const writer = a.writable.getWriter()
    writer.closed.catch(() => {})
    await expect(writer.write({ payload: pattern(11) })).rejects.toBeInstanceOf(FrameTooLargeError)
    expect(a.destroyed).toBe(false)
  })

  test('a stream that breaks fails whoever only waits: a writer, and a pipe whose source is idle', async () => {
    const why = new Error('why')
    const [a, b] = streamPair({ readiness })
    const writer = a.writable.getWriter()
    let reason: unknown
    const idle = new ReadableStream({
      cancel(given) {
        reason = given
      },
    })
    const piping = idle.pipeTo(b.writable)
    await turns()
    for (const end of [a, b]) end.destroy(why)
    await expect(writer.closed).rejects.toBe(why)
    await expect(piping).rejects.toBe(why)
    expect(reason).toBe(why)
  })

  test('a stream that is over fails a pipe that begins, and one that has ended by itself', async () => {
    const [a, b] = streamPair({ readiness })
    const writer = a.writable.getWriter()
    for (const end of [a, b]) void end.on('frame', () => {}).end()
    await Promise.all([a.closed, b.closed])
    await expect(writer.closed).rejects.toBeInstanceOf(ClosedError)
    await expect(new ReadableStream().pipeTo(b.writable)).rejects.toBeInstanceOf(ClosedError)
    const [c] = streamPair({ readiness })
    c.destroy()
    await expect(c.writable.getWriter().closed).rejects.toBeInstanceOf(ClosedError)
  })

  test('closed at both ends it stays closed', async () => {
    const [a, b] = streamPair({ readiness })
    const writers = [a, b].map((end) => end.on('frame', () => {}).writable.getWriter())
    await Promise.all(writers.map((writer) => writer.close()))
    await Promise.all([a.closed, b.closed])
    await Promise.all(writers.map((writer) => writer.closed))
  })

  test('a stream that ends fails the write that waits', async () => {
    const [a] = streamPair({ readiness })
    fill(a)
    const writer = a.writable.getWriter()
    writer.closed.catch(() => {})
    const why = new Error('why')
    const write = expect(writer.write({ payload: pattern(10) })).rejects.toBe(why)
    await turns()
    a.on('error', () => {})
    a.destroy(why)
    await write
  })
})

test('a readable piped through to a writable forwards frames with their descriptors', async () => {
  const [a, b] = streamPair()
  const [c, d] = streamPair()
  const forward = new TransformStream<Frame, OutgoingFrame>({
    transform: ({ payload, descriptors }, controller) => controller.enqueue({ payload, descriptors, transfer: true }),
  })
  const piped = b.readable.pipeThrough(forward).pipeTo(c.writable)
  for (let i = 0; i < 100; i++) a.send(pattern(i * 100, i), [named(i)], { transfer: true })
  void a.end()
  let i = 0
  for await (const frame of d) {
    expect(frame.payload.length).toBe(i * 100)
    expect(namesOf(frame)).toEqual([String(i++)])
  }
  expect(i).toBe(100)
  await piped
})
