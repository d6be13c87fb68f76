import { describe, expect, it } from 'vitest'
import {
  capnp,
  capnpMessage,
  capnpSegments,
  FrameEncoder,
  FrameTooLargeError,
  frameLimits,
  ProtocolError,
  UsageError,
} from '../../../src/framing/index.js'
import { word32 } from '../../support/messages.js'
import { refusalOf } from './refusals.js'

const good = Buffer.concat(capnpMessage([Buffer.alloc(16, 1)]))

function words(count: number, mark: number): Uint8Array {
  return new Uint8Array(8 * count).fill(mark)
}

function table(...numbers: readonly number[]): Uint8Array {
  return Buffer.concat(numbers.map(word32))
}

describe('capnp()', () => {
  it('makes a message of segments with a padded table, and finds them again', () => {
    const segments = [words(1, 1), words(0, 2), words(3, 3)]
    const message = new Uint8Array(Buffer.concat(capnpMessage(segments)))

    expect(message.subarray(0, 16)).toEqual(new Uint8Array(table(2, 1, 0, 3)))
    expect(capnpSegments(message)).toEqual(segments)
    expect(capnpMessage([words(1, 1), words(1, 2)])[0]).toEqual(new Uint8Array(table(1, 1, 1, 0)))
  })

  it('makes no message of what is no whole words, or of too many segments', () => {
    expect(() => capnpMessage([Buffer.alloc(9)])).toThrow(UsageError)
    expect(() => capnpMessage([])).toThrow(UsageError)
    expect(() => capnpMessage(new Array<Uint8Array>(512).fill(words(0, 0)))).toThrow(UsageError)
    expect(() => capnpSegments(Buffer.alloc(4))).toThrow(UsageError)
    expect(() => capnpSegments(good.subarray(0, -1))).toThrow(UsageError)
  })

  it('sends whole messages alone, as one chunk or many', () => {
    const encoder = new FrameEncoder(capnp(), frameLimits())

    expect(encoder.check(good, 0)).toBe(24)
    expect(
      encoder.check(
        [...good].map((byte) => Buffer.from([byte])),
        0,
      ),
    ).toBe(24)
    expect(encoder.check(capnpMessage(new Array<Uint8Array>(511).fill(words(0, 0))), 0)).toBe(2048)
    for (const wrong of [good.subarray(0, 16), Buffer.concat([good, good]), Buffer.alloc(0), Buffer.alloc(7)]) {
      expect(() => encoder.check(wrong, 0)).toThrow(UsageError)
    }
    expect(() => encoder.check(table(511, ...new Array<number>(513).fill(0)), 0)).toThrow(UsageError)
  })

  it('takes 8 Mi words by default', () => {
    const limits = frameLimits({}, capnp())
    const { reader } = capnp().connection(limits)

    expect(reader.measure(table(0, 8 * 1024 * 1024), 0, 8, 0)).toBe(64 * 1024 * 1024 + 8)
    expect(refusalOf({ codec: capnp(), good, bad: table(0, 9 * 1024 * 1024) })).toBeInstanceOf(FrameTooLargeError)
    expect(frameLimits({ maxPayload: 100 }, capnp()).maxPayload).toBe(100)
  })

  it('takes 512 segments', () => {
    const { reader } = capnp().connection(frameLimits())

    expect(reader.measure(table(511), 0, 4, 0)).toBe(0)
    expect(reader.measure(table(511, 0), 0, 8, 0)).toBe(0)
    expect(reader.need).toBe(2056)
  })

  it.each([
    ['too many segments', table(512, 0), 'a message has 513 segments, expected 512 at most'],
    ['more segments than numbers', table(0xffff_ffff, 0), 'a message has 4294967296 segments, expected 512 at most'],
  ])('refuses %s', (_what, bad, message) => {
    const error = refusalOf({ codec: capnp(), good, bad })
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error.message).toBe(`${message} (at byte 24 of the stream)`)
  })

  it.each([
    ['one size that is too large', table(0, 0xffff_ffff), 8 + 8 * 0xffff_ffff],
    ['sizes whose sum overflows', table(1, 0xffff_ffff, 1, 0), 16 + 8 * 2 ** 32],
  ])('refuses %s', (_what, bad, length) => {
    const error = refusalOf({ codec: capnp(), good, bad })
    expect(error).toMatchObject({ name: 'FrameTooLargeError', origin: 'remote' })
    expect(error.message).toContain(`${length} bytes of payload`)
  })
})
