/** send: what arrives is what was sent, whatever its size; and what can never be sent is said at once. */
import { describe, expect, test } from 'vitest'
import {
  ClosedError,
  type Descriptor,
  FrameTooLargeError,
  pair,
  SystemError,
  UsageError,
} from '../../src/stream/index.js'
import {
  fill,
  named,
  namesOf,
  pattern,
  readinesses,
  same,
  streamPair,
  take,
  takeAll,
  text,
} from '../support/streams.js'

const KiB = 1024
const MiB = 1024 * KiB

/** Around every size at which the way of a payload changes. */
const sizes = [
  0,
  1,
  7,
  8,
  16 * KiB - 9, // the largest frame whose bytes are copied is a slab's quarter; its header is 8 of them
  16 * KiB - 1,
  16 * KiB, // from here on payloads are sent from where they lie
  16 * KiB + 1,
  32 * KiB - 8, // the frame is as long as what is reassembled in the slab
  32 * KiB - 7, // from here on it gets memory of its own when it comes in parts
  36_544, // an skb
  64 * KiB - 8,
  64 * KiB,
  64 * KiB + 1,
  256 * KiB - 8,
  256 * KiB, // the slab that is received into
  256 * KiB + 1,
  MiB, // the budget of a wake-up
  16 * MiB, // the limit
]

describe.each(readinesses)('with readiness %s', (readiness) => {
  test.each(sizes)('a payload of %i bytes arrives as it was sent, plain frames around it too', async (size) => {
    const [a, b] = streamPair({ readiness })
    const payload = pattern(size, 7)
    a.send(Buffer.from('ahead'))
    a.send(payload)
    a.send(Buffer.from('behind'))

    const [ahead, frame, behind] = await take(b, 3)
    expect(text(ahead!.payload)).toBe('ahead')
    expect(frame!.payload.length).toBe(size)
    expect(same(frame!.payload, payload)).toBe(true)
    expect(frame!.descriptors).toEqual([])
    expect(text(behind!.payload)).toBe('behind')
  })

  test.each([1, 2, 252, 253, 254, 506, 507, 1024])(
    '%i descriptors arrive with their frame, in order',
    async (count) => {
      const [a, b] = streamPair({ readiness, maxDescriptors: 1024 })
      const names = Array.from({ length: count }, (_, i) => `d${i}`)
      a.send(Buffer.from('ahead'))
      a.send(pattern(100), names.map(named), { transfer: true })
      a.send(Buffer.from('behind'), [named('of behind')], { transfer: true })

      const [ahead, frame, behind] = await take(b, 3)
      expect(namesOf(ahead!)).toEqual([])
      expect(frame!.lost).toBe(0)
      expect(namesOf(frame!)).toEqual(names)
      expect(namesOf(behind!)).toEqual(['of behind'])
    },
  )

  test('every size arrives with descriptors of its own, both ways at once', async () => {
    const ends = streamPair({ readiness })
    const moderate = sizes.filter((size) => size <= MiB)
    const received = ends.map((end) => takeAll(end))
    for (const [side, end] of ends.entries()) {
      for (const size of moderate) end.send(pattern(size, side), [named(`${side}/${size}`)], { transfer: true })
      void end.end()
    }

    for (const [side, frames] of (await Promise.all(received)).entries()) {
      expect(frames.map((frame) => frame.payload.length)).toEqual(moderate)
      expect(frames.every(({ payload }) => same(payload, pattern(payload.length, 1 - side)))).toBe(true)
      expect(frames.map(namesOf)).toEqual(moderate.map((size) => [`${1 - side}/${size}`]))
    }
  })

  test('many small frames of one tick keep their order, those with descriptors among them', async () => {
    const [a, b] = streamPair({ readiness })
    const sent = Array.from({ length: 3000 }, (_, i) => `frame ${i}`)
    for (const [i, name] of sent.entries()) {
      a.send(Buffer.from(name), i % 7 === 0 ? [named(name)] : undefined, { transfer: true })
    }

    const frames = await take(b, sent.length)
    expect(frames.map(({ payload }) => text(payload))).toEqual(sent)
    expect(frames.map(namesOf)).toEqual(sent.map((name, i) => (i % 7 === 0 ? [name] : [])))
    // Gathered: far fewer system calls than frames.
    expect(a.stats.sent.systemCalls).toBeLessThan(1000)
  })
})

test('what is gathered in a tick goes out as soon as 256 KiB wait, so that one tick fills the kernel', () => {
  const [a] = streamPair({ sendBuffer: 1024 * KiB })
  a.send(pattern(10))
  for (let i = 0; i < 26; i++) a.send(pattern(10_000, i))
  expect(a.stats.sent.systemCalls).toBe(1)
  a.send(pattern(10_000))
  expect(a.stats.sent.bytes).toBeGreaterThanOrEqual(256 * KiB)
  expect(a.stats.sent.systemCalls).toBe(2)
})

describe('a payload of several chunks', () => {
  const lists: Record<string, readonly number[]> = {
    'no chunks': [],
    'empty chunks': [0, 0, 0],
    'small chunks': [1, 2, 3, 0, 5],
    'a large one between small ones': [10, 40_000, 10],
    'a small one between large ones': [20_000, 3, 20_000],
    'large ones alone': [16 * KiB, 16 * KiB, 300_000],
    'more small ones than the send slab holds': Array.from({ length: 50 }, () => 5_000),
    'more pieces than one system call takes': Array.from({ length: 600 }, (_, i) => (i % 2 === 0 ? 16 * KiB : 1)),
  }

  test.each(Object.entries(lists))('arrives as one: %s', async (_name, lengths) => {
    const [a, b] = streamPair()
    const chunks = lengths.map((length, i) => pattern(length, i))
    a.send(chunks)
    a.send(chunks, [named('with one')], { transfer: true })
    a.send(Buffer.from('behind'))

    const [plain, bearing, behind] = await take(b, 3)
    const whole = Buffer.concat(chunks)
    expect(same(plain!.payload, whole)).toBe(true)
    expect(same(bearing!.payload, whole)).toBe(true)
    expect(namesOf(bearing!)).toEqual(['with one'])
    expect(text(behind!.payload)).toBe('behind')
  })
})

describe('what is sent', () => {
  test('may be any view of bytes, wherever it lies in its buffer', async () => {
    const [a, b] = streamPair()
    const memory = pattern(50_000)
    a.send(memory.subarray(3, 7))
    a.send(memory.subarray(100, 40_100))
    a.send(new Uint8Array(new SharedArrayBuffer(20_000)).fill(9))

    const [small, large, shared] = await take(b, 3)
    expect(same(small!.payload, memory.subarray(3, 7))).toBe(true)
    expect(same(large!.payload, memory.subarray(100, 40_100))).toBe(true)
    expect(same(shared!.payload, new Uint8Array(20_000).fill(9))).toBe(true)
  })

  test('is of any iterable of descriptors: Descriptor and number', async () => {
    const [a, b] = streamPair()
    using one = named('one')
    using two = named('two')
    a.send(Buffer.from('x'), new Set<Descriptor | number>([one, two.fd]))

    const [frame] = await take(b, 1)
    expect(namesOf(frame!)).toEqual(['one', 'two'])
  })

  test('may bear the same descriptor more than once', async () => {
    const [a, b] = streamPair()
    using one = named('one')
    a.send(Buffer.from('x'), [one, one, one.fd])

    const [frame] = await take(b, 1)
    expect(new Set(frame!.descriptors.map(({ fd }) => fd)).size).toBe(3)
    expect(namesOf(frame!)).toEqual(['one', 'one', 'one'])
  })

  test('leaves the caller its descriptors, and takes them over with transfer', async () => {
    const [a, b] = streamPair()
    using kept = named('kept')
    const given = named('given')
    a.send(Buffer.from('x'), [kept])
    a.send(Buffer.from('y'), [given], { transfer: true })

    expect(kept.closed).toBe(false)
    expect(given.closed).toBe(true)
    const frames = await take(b, 2)
    expect(frames.map(namesOf)).toEqual([['kept'], ['given']])
  })
})

describe('what can never be sent', () => {
  test('is refused at the limit and one byte past it', () => {
    const [a] = streamPair({ maxPayload: 1000 })
    a.send(pattern(1000))
    expect(() => a.send(pattern(1001))).toThrow(FrameTooLargeError)
    expect(() => a.send([pattern(500), pattern(501)])).toThrow(
      expect.objectContaining({ code: 'ERR_PILLION_FRAME_TOO_LARGE', origin: 'local', limit: 1000 }),
    )
    const [whole] = streamPair()
    expect(() => whole.send(new Uint8Array(16 * MiB + 1))).toThrow(FrameTooLargeError)
  })

  test('is refused for too many descriptors: 253 as a rule, up to 1,024 by option, none where the limit is 0', () => {
    using one = named('one')
    const times = (count: number) => Array.from({ length: count }, () => one.fd)
    for (const [options, limit] of [
      [{}, 253],
      [{ maxDescriptors: 1024 }, 1024],
      [{ maxDescriptors: 0 }, 0],
    ] as const) {
      const [a] = streamPair(options)
      expect(() => a.send(pattern(8), times(limit + 1))).toThrow(
        expect.objectContaining({ code: 'ERR_PILLION_TOO_MANY_DESCRIPTORS', limit }),
      )
    }
    expect(() => streamPair({ maxDescriptors: 1025 })).toThrow(UsageError)
  })

  test.each([
    ['a string', 'bytes'],
    ['an ArrayBuffer', new ArrayBuffer(8)],
    ['a DataView', new DataView(new ArrayBuffer(8))],
    ['nothing', undefined],
    ['null', null],
    ['chunks that are none', [Buffer.from('x'), 'y']],
    ['an iterable of chunks that is no array', new Set([Buffer.from('x')])],
  ])('is refused as a payload: %s', (_name, payload) => {
    const [a] = streamPair()
    expect(() => a.send(payload as unknown as Uint8Array)).toThrow(UsageError)
  })

  test.each([
    ['a negative number', [-1]],
    ['a fraction', [0.5]],
    ['a string', ['3']],
    ['null', [null]],
    ['no iterable', 3],
    ['null for the list', null],
  ])('is refused as descriptors: %s', (_name, descriptors) => {
    const [a] = streamPair()
    expect(() => a.send(Buffer.from('x'), descriptors as unknown as number[])).toThrow(UsageError)
    expect(() => a.send(Buffer.from('x'), descriptors as unknown as number[], { transfer: true })).toThrow(UsageError)
  })

  test('is refused for a descriptor that is closed, or a number that is not open', () => {
    const [a] = streamPair()
    const closed = named('closed')
    const number = closed.fd
    closed.close()
    for (const transfer of [false, true]) {
      expect(() => a.send(Buffer.from('x'), [closed], { transfer })).toThrow(ClosedError)
      expect(() => a.send(Buffer.from('x'), [number], { transfer })).toThrow(
        expect.objectContaining({ constructor: SystemError, code: 'EBADF' }),
      )
    }
  })

  test.each(['an idle connection', 'a queue'])('leaves everything as it was, with %s', async (situation) => {
    const [a, b] = streamPair({ maxPayload: 16_000 })
    const filled = situation === 'a queue' ? fill(a) : 0
    using kept = named('kept')
    const closed = named('closed')
    closed.close()
    expect(() => a.send(pattern(16_001), [kept], { transfer: true })).toThrow(FrameTooLargeError)
    expect(() => a.send(Buffer.from('x'), [kept, closed], { transfer: true })).toThrow(ClosedError)
    expect(() => a.send(Buffer.from('x'), [kept, 0x7fff_fff0], { transfer: true })).toThrow(SystemError)
    expect(() => a.send(Buffer.from('x'), [kept, kept], { transfer: true })).toThrow(UsageError)
    expect(() => a.send(Buffer.from('x'), [kept, 0x7fff_fff0])).toThrow(SystemError)
    expect(kept.closed).toBe(false)
    a.send(Buffer.from('the next'), [kept])

    const frames = await take(b, filled + 1)
    expect(text(frames.at(-1)!.payload)).toBe('the next')
    expect(namesOf(frames.at(-1)!)).toEqual(['kept'])
  })

  test('does not go half way when the bad descriptor is in a later set of the frame', async () => {
    const [a, b] = streamPair({ maxDescriptors: 1024 })
    using one = named('one')
    const descriptors = [...Array.from({ length: 300 }, () => one.fd), 0x7fff_fff0]
    expect(() => a.send(pattern(100), descriptors)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    a.send(Buffer.from('the next'))

    const [frame] = await take(b, 1)
    expect(text(frame!.payload)).toBe('the next')
  })

  test('is said before anything is opened where options are to blame', () => {
    expect(() => pair({ highWaterMark: 0 })).toThrow(UsageError)
    expect(() => pair({ memfdFrom: 0 })).toThrow(UsageError)
    expect(() => pair({ maxPayload: -1 })).toThrow(UsageError)
    expect(() => pair({ readiness: 'sometimes' as 'level' })).toThrow(UsageError)
    expect(() => pair({ busyPoll: -1 })).toThrow(UsageError)
    expect(() => pair({ sendBuffer: 1.5 })).toThrow(UsageError)
  })

  test('a stream that was ended or destroyed takes nothing more, and leaves the caller what was to be transferred', () => {
    const [a, b] = streamPair()
    using kept = named('kept')
    void a.end()
    b.destroy()
    for (const stream of [a, b]) {
      expect(() => stream.send(Buffer.from('x'))).toThrow(ClosedError)
      expect(() => stream.send(pattern(100_000), [kept], { transfer: true })).toThrow(ClosedError)
    }
    expect(kept.closed).toBe(false)
  })
})
