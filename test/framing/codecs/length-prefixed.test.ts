import { describe, expect, it } from 'vitest'
import {
  FrameEncoder,
  FrameTooLargeError,
  frameLimits,
  lengthPrefixed,
  ProtocolError,
  UsageError,
} from '../../../src/framing/index.js'
import { sendsOf } from '../../../src/framing/testing/index.js'
import { refusalOf } from './refusals.js'

const limits = frameLimits({ maxPayload: 1000 })

function onWire(payload: string, options: Parameters<typeof lengthPrefixed>[0]): number[] {
  return [...sendsOf(lengthPrefixed(options), limits, [{ payload: Buffer.from(payload), fds: [] }])[0]!.bytes]
}

describe('lengthPrefixed()', () => {
  it('writes a big-endian length of 4 bytes by default', () => {
    expect(onWire('ab', {})).toEqual([0, 0, 0, 2, 0x61, 0x62])
  })

  it('writes the length in as many bytes, in the order and with what it counts as it is told', () => {
    expect(onWire('ab', { bytes: 1 })).toEqual([2, 0x61, 0x62])
    expect(onWire('ab', { bytes: 2, endian: 'little' })).toEqual([2, 0, 0x61, 0x62])
    expect(onWire('ab', { bytes: 8, includesHeader: true })).toEqual([0, 0, 0, 0, 0, 0, 0, 10, 0x61, 0x62])
    expect(onWire('a'.repeat(300), { bytes: 2, endian: 'little' }).slice(0, 3)).toEqual([44, 1, 0x61])
  })

  it('carries whole frames where bytes precede the length, and checks the length in them', () => {
    const codec = lengthPrefixed({ bytes: 2, offset: 1 })
    const encoder = new FrameEncoder(codec, limits)

    expect(encoder.check(Buffer.from([9, 0, 1, 7]), 0)).toBe(4)
    expect(encoder.check([Buffer.from([9, 0]), Buffer.from([1, 7])], 0)).toBe(4)
    for (const wrong of [[9, 0, 2, 7], [9, 0], []])
      expect(() => encoder.check(Buffer.from(wrong), 0)).toThrow(UsageError)
  })

  it('refuses to send what the length cannot hold', () => {
    expect(new FrameEncoder(lengthPrefixed({ bytes: 1 }), limits).check(Buffer.alloc(255), 0)).toBe(255)
    expect(() => new FrameEncoder(lengthPrefixed({ bytes: 1 }), limits).check(Buffer.alloc(256), 0)).toThrow(
      expect.objectContaining({ name: 'FrameTooLargeError', limit: 255, origin: 'local' }),
    )
    const counted = lengthPrefixed({ bytes: 1, includesHeader: true })
    expect(() => new FrameEncoder(counted, limits).check(Buffer.alloc(255), 0)).toThrow(FrameTooLargeError)
  })

  it.each([
    [4, '00000065', 101],
    [4, 'ffffffff', 0xffff_ffff],
    [8, '0020000000000001', 2 ** 53],
    [8, 'ffffffffffffffff', 2 ** 64],
  ] as const)('refuses a length of %i bytes that says %s', (bytes, hex, length) => {
    const error = refusalOf({
      codec: lengthPrefixed({ bytes }),
      good: Buffer.from('ok'),
      bad: Buffer.from(hex, 'hex'),
      limits: { maxPayload: 100 },
    })
    expect(error).toMatchObject({ name: 'FrameTooLargeError', origin: 'remote', limit: 100 })
    expect(error.message).toContain(`${length} bytes of payload`)
    expect(error.message).toContain(`at byte ${bytes + 2} of the stream`)
  })

  it('refuses a length that is less than the header it counts', () => {
    const codec = lengthPrefixed({ bytes: 2, includesHeader: true })
    const error = refusalOf({ codec, good: Buffer.from('ok'), bad: Buffer.from([0, 1, 0, 0]) })
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error.message).toBe("a frame has the length 1, expected its header's 2 at least (at byte 4 of the stream)")
  })

  const uncounted = { bytes: 1, includesHeader: true, offset: 255 }
  it.each([{ bytes: 3 }, { endian: 'middle' }, { offset: -1 }, { offset: 0.5 }, { offset: 5000 }, uncounted])(
    'cannot be told %o',
    (options) => expect(() => lengthPrefixed(options as object)).toThrow(UsageError),
  )
})
