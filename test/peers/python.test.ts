/**
 * A peer that is no pillion: it talks the default format as it likes, well or badly, in sends cut anywhere.
 *
 * Whatever it does, the frames that are delivered are exactly those that it was right to send, the stream ends with an
 * error that says whose fault it was, and no descriptor stays.
 */
import { statSync } from 'node:fs'
import { beforeEach, describe, expect, it } from 'vitest'
import type { StreamOptions } from '../../src/stream/index.js'
import { collect, type SeenFrame } from '../support/collect.js'
import { needs } from '../support/needs.js'
import { readinesses } from '../support/streams.js'
import { closeAll, makeTokens } from '../support/tokens.js'
import { type Step, startPeer } from './python-peer.js'
import { byteByByte, cut, range, send, wire } from './wire.js'

interface Case {
  readonly title: string
  readonly steps: readonly Step[]
  readonly frames: readonly SeenFrame[]
  /** What the stream ends with; undefined: properly. */
  readonly error?: { readonly name: string; readonly code: string; readonly origin: string; readonly message?: unknown }
  readonly options?: StreamOptions
}

const seen = (payload: string, tokens: readonly number[] = [], lost = 0): SeenFrame => ({ payload, tokens, lost })

/** Four frames, what they bear, and where each begins. */
const talk = {
  text: [wire('one', 1), wire('plain'), wire('two', 2), wire('', 1)].join(''),
  begins: [0, 11, 24, 35],
  frames: [seen('one', [1]), seen('plain'), seen('two', [2, 3]), seen('', [4])],
}

const wellFormed: readonly Case[] = [
  {
    title: 'each byte in a send of its own, the sets on the frames’ first bytes',
    steps: byteByByte(talk.text, { 0: [1], 24: [2, 3], 35: [4] }),
    frames: talk.frames,
  },
  {
    title: 'each byte in a send of its own, the sets on the frames’ last bytes',
    steps: byteByByte(talk.text, { 10: [1], 34: [2, 3], 42: [4] }),
    frames: talk.frames,
  },
  {
    title: 'sends that end in the middle of the headers, the sets on the first halves',
    steps: cut(
      talk.text,
      talk.begins.map((begin) => begin + 4),
      { 0: [1], 24: [2, 3], 35: [4] },
    ),
    frames: talk.frames,
  },
  {
    title: 'sends that begin in the middle of the headers, the sets on the second halves',
    steps: cut(talk.text, talk.begins, { 5: [1], 29: [2, 3], 40: [4] }),
    frames: talk.frames,
  },
  {
    title: 'plain frames ahead and behind in the same send',
    steps: [send(wire('a') + wire('b') + wire('c', 3) + wire('d') + wire('e'), [7, 8, 9]), send(wire('f', 1), [10])],
    frames: [seen('a'), seen('b'), seen('c', [7, 8, 9]), seen('d'), seen('e'), seen('f', [10])],
  },
  {
    title: 'a frame’s descriptors in several sets, among its bytes',
    steps: cut(wire('several', 6), [], { 0: [1], 3: [2, 3], 9: [4], 14: [5, 6] }),
    frames: [seen('several', [1, 2, 3, 4, 5, 6])],
  },
  {
    title: '254 descriptors in two sets',
    steps: cut(wire('many', 254), [], { 0: range(253), 11: [253] }),
    frames: [seen('many', range(254))],
    options: { maxDescriptors: 1024 },
  },
  {
    title: '1,024 descriptors in five sets, on the bytes of an empty frame’s header',
    steps: cut(wire('', 1024), [], {
      0: range(253),
      1: range(253, 253),
      2: range(253, 506),
      3: range(253, 759),
      4: range(12, 1012),
    }),
    frames: [seen('', range(1024))],
    options: { maxDescriptors: 1024 },
  },
  {
    title: 'a frame of 100 KB with its set in the middle',
    steps: cut(
      wire('x'.repeat(100_000), 2),
      range(19, 0).map((i) => i * 5_000),
      { 50000: [1, 2] },
    ),
    frames: [seen('x'.repeat(100_000), [1, 2])],
  },
]

const mismatch = { name: 'DescriptorMismatchError', code: 'ERR_PILLION_DESCRIPTOR_MISMATCH', origin: 'remote' } as const
const protocol = { name: 'ProtocolError', code: 'ERR_PILLION_PROTOCOL', origin: 'remote' } as const
const tooLarge = { name: 'FrameTooLargeError', code: 'ERR_PILLION_FRAME_TOO_LARGE', origin: 'remote' } as const
const tooMany = { name: 'TooManyDescriptorsError', code: 'ERR_PILLION_TOO_MANY_DESCRIPTORS', origin: 'remote' } as const

/** One good frame ahead, which is delivered whatever follows. */
const good = send(wire('good', 1), [1])
const goodFrame = seen('good', [1])

const malformed: readonly Case[] = [
  {
    title: 'a frame that comes without its descriptors',
    steps: [good, send(wire('none', 2)), send(wire('after'))],
    frames: [goodFrame],
    error: { ...mismatch, message: expect.stringContaining('announced 2 descriptors and 0 arrived') },
  },
  {
    title: 'a frame with fewer descriptors than it announces, and another behind it',
    steps: [good, send(wire('few', 3), [2, 3]), send(wire('next', 1), [4])],
    frames: [goodFrame],
    error: { ...mismatch, message: expect.stringContaining('announced 3 descriptors and 2 arrived') },
  },
  {
    title: 'a frame whose descriptors all come with the next one',
    steps: [good, send(wire('late', 1)), send(wire('next', 1), [2, 3])],
    frames: [goodFrame],
    error: { ...mismatch, message: expect.stringContaining('announced 1 descriptors and 0 arrived') },
  },
  {
    title: 'a frame with more descriptors than it announces',
    steps: [good, send(wire('more', 1), [2, 3])],
    frames: [goodFrame],
    error: { ...mismatch, message: expect.stringContaining('announced 1 descriptors and 2') },
  },
  {
    title: 'more sets than announced among the bytes of a frame',
    steps: [good, ...byteByByte(wire('more', 1), { 0: [2], 5: [3], 9: [4] })],
    frames: [goodFrame],
    error: mismatch,
  },
  {
    title: 'descriptors on a plain frame, before any was announced',
    steps: [send(wire('plain'), [1, 2])],
    frames: [],
    error: { ...mismatch, message: expect.stringContaining('no frame has announced any') },
  },
  {
    title: 'descriptors on the last byte of the plain frame ahead of theirs',
    steps: [send(wire('plain').slice(0, -1)), send('n', [1]), send(wire('bears', 1))],
    frames: [],
    error: mismatch,
  },
  {
    title: 'descriptors on a plain frame behind one that has its own, which one of the two is not known',
    steps: [good, send(wire('plain')), send(wire('own', 1), [2]), send(wire('plain'), [3])],
    frames: [goodFrame, seen('plain')],
    error: { ...mismatch, message: expect.stringContaining('announced 1 descriptors and 2') },
  },
  {
    title: 'bytes that are no header',
    steps: [good, send('GET / HTTP/1.1\r\n\r\n')],
    frames: [goodFrame],
    error: { ...protocol, message: expect.stringContaining('byte 7 of a frame') },
  },
  {
    title: 'bytes that are no header, with descriptors',
    steps: [good, send('\0'.repeat(30), [2, 3])],
    frames: [goodFrame],
    error: protocol,
  },
  ...[0x02, 0x80, 0xff].map((flags) => ({
    title: `the flags ${flags}, which nobody knows`,
    steps: [good, send(wire('flags', 1, { flags }), [2])],
    frames: [goodFrame],
    error: { ...protocol, message: expect.stringContaining('flags') },
  })),
  {
    title: 'a memfd’s frame without a descriptor',
    steps: [good, send(wire('12345678', 0, { flags: 1 }))],
    frames: [goodFrame],
    error: protocol,
  },
  {
    title: 'a memfd’s frame of the wrong length',
    steps: [good, send(wire('1234567', 1, { flags: 1 }), [2])],
    frames: [goodFrame],
    error: protocol,
  },
  {
    title: 'a payload announced one byte over the limit',
    steps: [good, send(wire('', 0, { length: 1001 }))],
    frames: [goodFrame],
    error: tooLarge,
    options: { maxPayload: 1000 },
  },
  {
    title: 'a payload announced as large as 32 bits can say',
    steps: [good, send(wire('', 1, { length: 0xffff_ffff }), [2])],
    frames: [goodFrame],
    error: tooLarge,
  },
  {
    title: 'a descriptor announced over the limit',
    steps: [good, send(wire('many', 254), range(253))],
    frames: [goodFrame],
    error: tooMany,
  },
  {
    title: 'as many descriptors announced as 16 bits can say',
    steps: [good, send(wire('many', 0xffff), range(200))],
    frames: [goodFrame],
    error: tooMany,
    options: { maxDescriptors: 1024 },
  },
  {
    title: 'the end of the stream in a header',
    steps: [good, send(wire('half').slice(0, 3)), ['end']],
    frames: [goodFrame],
    error: {
      ...protocol,
      message: expect.stringContaining('ended in a frame, after 3 bytes, its length not known yet'),
    },
  },
  {
    title: 'the end of the stream in a header that has brought descriptors',
    steps: [good, send(wire('half', 2).slice(0, 7), [2, 3]), ['end']],
    frames: [goodFrame],
    error: protocol,
  },
  {
    title: 'the end of the stream in a payload, the descriptors there',
    steps: [good, send(wire('half', 2).slice(0, -1), [2, 3]), ['end']],
    frames: [goodFrame],
    error: { ...protocol, message: expect.stringContaining('after 11 of 12 bytes') },
  },
  {
    title: 'the end of the stream in a large payload, with part of its descriptors',
    steps: [good, send(wire('x'.repeat(90_000), 300).slice(0, 80_000), range(200)), ['end']],
    frames: [goodFrame],
    error: { ...protocol, message: expect.stringContaining('after 80000 of 90008 bytes') },
    options: { maxDescriptors: 300 },
  },
  {
    title: 'the end of the stream just behind a frame that lacks its descriptors',
    steps: [good, send(wire('none', 1)), ['end']],
    frames: [goodFrame],
    error: mismatch,
  },
]

beforeEach((context) => needs(context, { command: 'python3' }))

describe.each(readinesses)('with %s readiness', (readiness) => {
  describe('a peer that keeps to the format, all of it sent before the first read', () => {
    it.each(wellFormed)('$title', async ({ steps, frames, options }) => {
      const peer = startPeer([...steps, ['end'], ['say', 'sent'], ['wait']], { ...options, readiness })
      expect(await peer.answer()).toBe('sent')

      expect(await collect(peer.stream)).toEqual({ frames, error: undefined })
    })
  })

  describe('a peer that keeps to the format, read as it sends', () => {
    it.each(wellFormed)('$title', async ({ steps, frames, options }) => {
      const peer = startPeer([...steps, ['end'], ['wait']], { ...options, readiness })

      expect(await collect(peer.stream)).toEqual({ frames, error: undefined })
    })
  })

  describe('a peer that breaks it', () => {
    it.each(malformed)('$title', async ({ steps, frames, error, options }) => {
      const peer = startPeer([...steps, ['say', 'sent'], ['wait']], { ...options, readiness })
      expect(await peer.answer()).toBe('sent')

      const collected = await collect(peer.stream)
      expect(collected.frames).toEqual(frames)
      expect(collected.error).toMatchObject(error as object)
      expect(peer.stream.destroyed).toBe(true)
    })
  })

  it('hears a reset of the connection behind all that came before it', async () => {
    const steps: Step[] = [good, send(wire('x'.repeat(50_000), 2), [2, 3]), ['await_input'], ['close'], ['wait']]
    const peer = startPeer(steps, { readiness })
    peer.stream.send(Buffer.from('never read'))

    const { frames, error } = await collect(peer.stream)
    expect(frames).toEqual([goodFrame, seen('x'.repeat(50_000), [2, 3])])
    expect(error).toMatchObject({ name: 'SystemError', code: 'ECONNRESET', origin: 'system' })
  })

  it('waits for the rest of a frame as long as it takes, and then delivers it', async () => {
    const text = wire('at last', 2)
    const steps: Step[] = [send(text.slice(0, 9), [1]), ['say', 'half'], ['wait'], send(text.slice(9), [2]), ['end']]
    const peer = startPeer(steps, { readiness })
    const collected = collect(peer.stream)
    expect(await peer.answer()).toBe('half')
    peer.goOn()

    expect(await collected).toEqual({ frames: [seen('at last', [1, 2])], error: undefined })
  })
})

describe('a peer that sends descriptors without end', () => {
  const open = () => statSync('/proc/self/fd').size

  it('with every byte of a frame that never ends: the first one too many is the last', async () => {
    const header = send(wire('', 3, { length: 10_000_000 }))
    const peer = startPeer([header, ['flood', 'x', [1, 2], 100_000]])
    const before = open()

    const { frames, error } = await collect(peer.stream)
    expect(frames).toEqual([])
    expect(error).toMatchObject(mismatch)
    expect(open()).toBeLessThanOrEqual(before)
    expect(await peer.answer()).toEqual([expect.any(Number), expect.stringMatching(/^(EPIPE|ECONNRESET)$/)])
  })

  it('with every byte of a header that is never complete: no more are kept than a frame may bear', async () => {
    const steps: Step[] = range(7).map((i) => send(wire('x', 1)[i] as string, range(253)))
    const peer = startPeer([...steps, ['say', 'sent'], ['wait']])
    expect(await peer.answer()).toBe('sent')
    const before = open()

    const { error } = await collect(peer.stream)
    expect(error).toMatchObject({ ...mismatch, message: expect.stringContaining('header that is not complete') })
    expect(open()).toBeLessThanOrEqual(before)
  })

  it('in frames that nobody consumes: receiving stops long before the table is full', async () => {
    const peer = startPeer([['flood', wire('', 253), range(253), 1000], ['wait']])
    const { stream } = peer
    const before = open()
    const iterator = stream[Symbol.asyncIterator]()
    const first = await iterator.next()
    expect(first.value?.descriptors.length).toBe(253)
    first.value?.[Symbol.dispose]()
    while (stream.stats.received.pauses === 0) await new Promise(setImmediate)

    // What one wake-up brings at most, besides the mark.
    expect(open() - before).toBeLessThan(6000)
    await iterator.return?.()
    expect(open()).toBeLessThanOrEqual(before)
    await peer.answer()
  })
})

describe('a peer that reads what we send', () => {
  it.each([1, 2, 3, 4])('gets each frame with its own descriptors, at read sizes by seed %i', async (seed) => {
    const peer = startPeer([['receive', seed]], { maxDescriptors: 1024 })
    const { stream } = peer
    const sizes = [0, 1, 253, 0, 254, 600, 0, 1024, 2]
    const payloads = ['a', 'x'.repeat(30_000), '', 'b', 'x'.repeat(200_000), '', 'c', '', 'last']
    const expected = sizes.map((count, i) => [payloads[i], range(count, i)])
    for (const [i, count] of sizes.entries()) {
      const tokens = makeTokens(range(count, i))
      stream.send(Buffer.from(payloads[i] as string), tokens)
      closeAll(tokens)
    }
    await stream.end()

    expect(await peer.answer()).toEqual({
      frames: expected,
      sets: [1, 253, 253, 1, 253, 253, 94, 253, 253, 253, 253, 12, 2],
      ending: null,
    })
  })
})
