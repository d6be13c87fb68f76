import { describe, expect, it } from 'vitest'
import {
  FrameTooLargeError,
  frameLimits,
  memfdFlag,
  memfdLength,
  ProtocolError,
  pillion,
  TooManyDescriptorsError,
} from '../../src/framing/index.js'
import { readInEveryWay, sendsOf } from '../../src/framing/testing/index.js'

const limits = frameLimits({ maxPayload: 1000, maxDescriptors: 10 })
const codec = pillion()

function header(length: number, descriptors: number, flags = 0, mark = 0xf1): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(length, 0)
  bytes.writeUInt16LE(descriptors, 4)
  bytes[6] = flags
  bytes[7] = mark
  return bytes
}

/** What comes of a stream that starts with a good frame, goes on with `bytes` and has more behind it. */
function outcomesBehindAFrame(bytes: Uint8Array) {
  const good = Buffer.concat([header(2, 0), Buffer.from('ok')])
  return readInEveryWay([{ bytes: Buffer.concat([good, bytes, good]), fds: [] }], { codec, limits })
}

describe('the pillion codec', () => {
  it('writes length, count, flags and mark in little-endian order', () => {
    const bytes = new Uint8Array(10)
    codec.connection(limits).writer.writePrefix(bytes, 1, 0x01020304, 0x0506, 1)

    expect([...bytes]).toEqual([0, 4, 3, 2, 1, 6, 5, 1, 0xf1, 0])
  })

  it('asks for 8 bytes before it looks at a header', () => {
    const reader = codec.connection(limits).reader

    expect(reader.measure(header(5, 0), 0, 7, 0)).toBe(0)
    expect(reader.need).toBe(8)
    expect(reader.measure(header(5, 3), 0, 8, 0)).toBe(13)
    expect(reader).toMatchObject({ payloadOffset: 8, payloadLength: 5, descriptors: 3, flags: 0 })
  })

  it('reads what it has written, empty payloads too', () => {
    const frames = [0, 1, 7, 8, 9, 1000].map((length) => ({ payload: Buffer.alloc(length, length), fds: [] }))
    for (const outcome of readInEveryWay(sendsOf(codec, limits, frames), { codec, limits })) {
      expect(outcome.error, outcome.way).toBeUndefined()
      expect(
        outcome.frames.map((frame) => Buffer.from(frame.payload)),
        outcome.way,
      ).toEqual(frames.map((f) => f.payload))
    }
  })

  it.each([
    [
      'a wrong mark',
      header(2, 0, 0, 0xf0),
      "byte 7 of a frame's header is 0xf0, expected 0xf1 (at byte 10 of the stream)",
    ],
    [
      'an unknown flag',
      header(2, 0, 2),
      'a frame has the flags 0x02, expected 0x00 or 0x01 (at byte 10 of the stream)',
    ],
    [
      'a memfd without descriptors',
      header(8, 0, 1),
      "a memfd's frame has 0 descriptors, expected 1 or more (at byte 10 of the stream)",
    ],
    [
      'a memfd without its length',
      header(7, 1, 1),
      "a memfd's frame has 7 bytes of payload, expected 8 (at byte 10 of the stream)",
    ],
  ])('refuses %s and names what it found, where and what it expected', (_what, bytes, message) => {
    for (const outcome of outcomesBehindAFrame(bytes)) {
      expect(outcome.error, outcome.way).toBeInstanceOf(ProtocolError)
      expect(outcome.error?.message, outcome.way).toBe(message)
      expect(outcome.frames.length, outcome.way).toBe(1)
    }
  })

  it('refuses a payload over the limit from the header alone', () => {
    for (const outcome of outcomesBehindAFrame(header(1001, 0))) {
      expect(outcome.error, outcome.way).toBeInstanceOf(FrameTooLargeError)
      expect(outcome.error, outcome.way).toMatchObject({ origin: 'remote', limit: 1000 })
      expect(outcome.frames.length, outcome.way).toBe(1)
    }
  })

  it('refuses a length of 4 GiB as a length, not as a negative number', () => {
    for (const outcome of outcomesBehindAFrame(header(0xffff_ffff, 0))) {
      expect(outcome.error?.message, outcome.way).toContain('4294967295 bytes')
    }
  })

  it('refuses a count over the limit from the header alone', () => {
    for (const outcome of outcomesBehindAFrame(header(0, 11))) {
      expect(outcome.error, outcome.way).toBeInstanceOf(TooManyDescriptorsError)
      expect(outcome.error, outcome.way).toMatchObject({ origin: 'remote', limit: 10 })
    }
  })

  it('hands the memfd flag on with the frame', () => {
    const sends = [{ bytes: Buffer.concat([header(8, 1, memfdFlag), Buffer.alloc(8, 1)]), fds: [7] }]
    for (const outcome of readInEveryWay(sends, { codec, limits })) {
      expect(outcome.frames, outcome.way).toMatchObject([{ flags: memfdFlag, fds: [7] }])
    }
  })

  it('reads the length of a memfd and holds it against the limit, past 2^53 too', () => {
    const lengthOf = (length: bigint) => {
      const payload = Buffer.alloc(8)
      payload.writeBigUInt64LE(length)
      return memfdLength(payload, limits, 40)
    }

    expect(lengthOf(0n)).toBe(0)
    expect(lengthOf(1000n)).toBe(1000)
    for (const length of [1001n, 2n ** 32n, 2n ** 32n + 1n, 2n ** 53n, 2n ** 64n - 1n]) {
      expect(() => lengthOf(length)).toThrow(FrameTooLargeError)
    }
    expect(() => memfdLength(Buffer.alloc(7), limits, 40)).toThrow(ProtocolError)
  })
})
