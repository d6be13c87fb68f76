import { describe, expect, it } from 'vitest'
import {
  type Codec,
  FrameEncoder,
  FrameTooLargeError,
  frameLimits,
  memfdFlag,
  type OutgoingPiece,
  pillion,
  type SendRules,
  TooManyDescriptorsError,
  UsageError,
} from '../../src/framing/index.js'
import { gather, readInEveryWay } from '../../src/framing/testing/index.js'
import { linesWithLength } from '../support/framing-codecs.js'

const limits = frameLimits({ maxPayload: 100_000, maxDescriptors: 1024 })

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

function write(
  encoder: FrameEncoder,
  payload: Uint8Array | readonly Uint8Array[],
  fds: readonly number[],
  copyBelow = 100,
) {
  const pieces: OutgoingPiece[] = []
  const at = 3
  const slab = new Uint8Array(at + encoder.copiedLength(payload, copyBelow))
  encoder.check(payload, fds.length)
  const end = encoder.write(slab, at, payload, { fds, flags: 0, copyBelow }, pieces)
  expect(end).toBe(slab.length)
  return { slab, pieces }
}

function join(pieces: readonly OutgoingPiece[]): Buffer {
  return Buffer.concat(pieces.map(({ bytes, start, end }) => bytes.subarray(start, end)))
}

function withRules(rules: Partial<SendRules>): Codec {
  return { ...pillion(), sending: { ...pillion().sending, ...rules } }
}

describe('a frame encoder', () => {
  const encoder = new FrameEncoder(pillion(), limits)

  it('writes a small frame into a slab and tells where it ends', () => {
    for (const length of [0, 1, 11, 12, 13, 200]) {
      const payload = new Uint8Array(length).fill(7)
      const slab = new Uint8Array(length + 20)

      expect(encoder.writeSmall(slab, 5, payload)).toBe(5 + encoder.wireLength(length))
      expect(slab.subarray(5, 5 + 8 + length)).toEqual(new Uint8Array(join(write(encoder, payload, []).pieces)))
      expect([...slab.subarray(0, 5), ...slab.subarray(13 + length)].every((byte) => byte === 0)).toBe(true)
    }
  })

  it('writes several chunks as one small frame', () => {
    const chunks = [Buffer.from('ab'), Buffer.from(''), Buffer.from('a longer chunk of bytes')]
    const slab = new Uint8Array(60)
    const end = encoder.writeSmall(slab, 3, chunks)

    expect(Buffer.from(slab.subarray(3, end))).toEqual(join(write(encoder, [Buffer.concat(chunks)], []).pieces))
  })

  it('writes what follows a payload too', () => {
    const slab = new Uint8Array(10)

    expect(new FrameEncoder(linesWithLength(), limits).writeSmall(slab, 1, Buffer.from('abc'))).toBe(8)
    expect(Buffer.from(slab.subarray(1, 8)).toString()).toBe('#\0\x03abc\n')
  })

  it('makes one piece of a header and the small chunks behind it', () => {
    const { slab, pieces } = write(encoder, [Buffer.from('ab'), Buffer.from(''), Buffer.from('cd')], [])

    expect(pieces).toEqual([{ bytes: slab, start: 3, end: 15, fds: [], startsSend: false, endsSend: false }])
    expect(join(pieces).subarray(8).toString()).toBe('abcd')
  })

  it('refers to large chunks where they lie, and keeps the order', () => {
    const large = new Uint8Array(100).fill(1)
    const { slab, pieces } = write(encoder, [large, Buffer.from('ab'), large, Buffer.from('cd'), Buffer.from('e')], [])

    expect(pieces.map(({ bytes }) => bytes)).toEqual([slab, large, slab, large, slab])
    expect(pieces[1]?.bytes).toBe(large)
    expect(join(pieces).subarray(8)).toEqual(Buffer.concat([large, Buffer.from('ab'), large, Buffer.from('cde')]))
  })

  it('starts a send with the first byte of a frame that bears descriptors', () => {
    const { pieces } = write(encoder, Buffer.alloc(200), [5, 6])

    expect(pieces.map(({ fds, startsSend, endsSend }) => ({ fds, startsSend, endsSend }))).toEqual([
      { fds: [5, 6], startsSend: true, endsSend: false },
      { fds: [], startsSend: false, endsSend: false },
    ])
  })

  it.each([
    [253, [253]],
    [254, [253, 1]],
    [300, [253, 47]],
    [1024, [253, 253, 253, 253, 12]],
  ])('spreads %i descriptors over sends that start inside the frame, though it be empty', (count, sets) => {
    const { pieces } = write(encoder, new Uint8Array(0), numbers(count))

    expect(pieces.map(({ fds }) => fds.length)).toEqual(sets)
    expect(pieces.every(({ start, end, startsSend }) => end > start && startsSend)).toBe(true)
    expect(pieces.flatMap(({ fds }) => fds)).toEqual(numbers(count))
    expect(join(pieces).length).toBe(8)
  })

  it('keeps a large payload in one piece however many sets there are', () => {
    const payload = new Uint8Array(50_000)

    expect(write(encoder, payload, numbers(1024)).pieces.filter(({ bytes }) => bytes === payload)).toMatchObject([
      { start: 0, end: 50_000 },
    ])
  })

  it('ends the send with a bearing frame where nothing may follow, on its last piece', () => {
    const strict = new FrameEncoder(withRules({ plainMayFollow: false }), limits)
    const ends = (payload: Uint8Array, count: number) =>
      write(strict, payload, numbers(count)).pieces.map((p) => p.endsSend)

    expect(ends(Buffer.alloc(200), 1)).toEqual([false, true])
    expect(ends(Buffer.alloc(1), 300)).toEqual([false, true])
    expect(ends(Buffer.alloc(200), 0)).toEqual([false, false])
  })

  it('hands the flags to the codec', () => {
    const payload = Buffer.alloc(8)
    const pieces: OutgoingPiece[] = []
    encoder.write(new Uint8Array(16), 0, payload, { fds: [7], flags: memfdFlag, copyBelow: 100 }, pieces)
    for (const { frames } of readInEveryWay(gather(pieces), { codec: pillion(), limits })) {
      expect(frames).toMatchObject([{ flags: memfdFlag, fds: [7] }])
    }
  })

  it('finds the length of a payload in one chunk or several', () => {
    expect(encoder.check(Buffer.alloc(5), 0)).toBe(5)
    expect(encoder.check([Buffer.alloc(5), Buffer.alloc(0), Buffer.alloc(6)], 3)).toBe(11)
    expect(encoder.check([], 0)).toBe(0)
  })

  it('takes a payload and a count at their limits, and refuses one more of either', () => {
    expect(encoder.check(Buffer.alloc(100_000), 1024)).toBe(100_000)
    expect(() => encoder.check(Buffer.alloc(100_001), 0)).toThrow(FrameTooLargeError)
    expect(() => encoder.check([Buffer.alloc(100_000), Buffer.alloc(1)], 0)).toThrow(FrameTooLargeError)
    expect(() => encoder.check(Buffer.alloc(0), 1025)).toThrow(TooManyDescriptorsError)
    expect(() => encoder.check(Buffer.alloc(0), 1025)).toThrow(
      expect.objectContaining({ origin: 'local', limit: 1024 }),
    )
  })

  it('refuses what is no bytes', () => {
    for (const payload of ['text', 5, undefined, null, {}, ['text'], [1], new ArrayBuffer(3)]) {
      expect(() => encoder.check(payload as never, 0)).toThrow(UsageError)
    }
  })

  it('refuses what a peer of the format cannot take', () => {
    const checker = (rules: Partial<SendRules>) => new FrameEncoder(withRules(rules), limits)

    expect(checker({ maxBytesPerSend: 20 }).check(Buffer.alloc(12), 0)).toBe(12)
    expect(() => checker({ maxBytesPerSend: 20 }).check(Buffer.alloc(13), 0)).toThrow(FrameTooLargeError)
    expect(checker({ maxDescriptorsPerSend: 16, severalSets: false }).check(Buffer.alloc(1), 16)).toBe(1)
    expect(() => checker({ maxDescriptorsPerSend: 16, severalSets: false }).check(Buffer.alloc(1), 17)).toThrow(
      TooManyDescriptorsError,
    )
    // Each set needs a byte to start from, and an empty frame has 8.
    expect(checker({ maxDescriptorsPerSend: 2 }).check(Buffer.alloc(0), 16)).toBe(0)
    expect(() => checker({ maxDescriptorsPerSend: 2 }).check(Buffer.alloc(0), 17)).toThrow(TooManyDescriptorsError)
  })

  it('refuses what the codec refuses, one chunk or several', () => {
    const lines = new FrameEncoder(linesWithLength(), limits)

    expect(lines.check(Buffer.from('fine'), 0)).toBe(4)
    expect(() => lines.check(Buffer.from('a\nb'), 0)).toThrow('a line holds no newline')
    expect(() => lines.check([Buffer.from('a'), Buffer.from('\nb')], 0)).toThrow('a line holds no newline')
    expect(lines.check(Buffer.from('fine again'), 0)).toBe(10)
  })
})

describe('an encoder for several connections', () => {
  const { writer } = pillion().connection(limits)
  const serves = (codec: Codec, otherLimits = limits) =>
    new FrameEncoder(codec, limits).serves(codec, otherLimits, codec.connection(otherLimits))

  it('is of a codec with one writer for all of them', () => {
    expect(serves(pillion())).toBe(true)
    expect(
      serves({ ...pillion(), connection: (given) => ({ ...pillion().connection(given), writer: { ...writer } }) }),
    ).toBe(false)
  })

  it('has the same limits', () => {
    expect(serves(pillion(), frameLimits({ maxPayload: 5 }))).toBe(false)
  })

  it('runs no code of its codec while it checks: that could send on another connection', () => {
    const checking = { ...writer, check: () => {} }
    expect(
      serves({ ...pillion(), connection: (given) => ({ ...pillion().connection(given), writer: checking }) }),
    ).toBe(false)
  })
})
