import { describe, expect, it } from 'vitest'
import {
  type Codec,
  delimited,
  FrameDecoder,
  FrameEncoder,
  FrameTable,
  frameLimits,
  ProtocolError,
  UsageError,
  varlink,
} from '../../../src/framing/index.js'
import { readInEveryWay } from '../../../src/framing/testing/index.js'
import { refusalOf } from './refusals.js'

const limits = frameLimits({ maxPayload: 50 })

describe('delimited()', () => {
  it('takes the delimiter off, and gives empty frames too', () => {
    const sends = [{ bytes: Buffer.from('one\n\ntwo\n'), fds: [] }]
    for (const { frames, error, way } of readInEveryWay(sends, { codec: delimited(0x0a), limits })) {
      expect(error, way).toBeUndefined()
      expect(
        frames.map(({ payload }) => Buffer.from(payload).toString()),
        way,
      ).toEqual(['one', '', 'two'])
    }
  })

  it('refuses to send a payload that holds the delimiter, in any chunk', () => {
    const encoder = new FrameEncoder(delimited(0x0a), limits)
    expect(encoder.check(Buffer.from('a b'), 0)).toBe(3)
    expect(() => encoder.check(Buffer.from('a\nb'), 0)).toThrow(UsageError)
    expect(() => encoder.check([Buffer.from('a'), Buffer.from('\n')], 0)).toThrow(UsageError)
  })

  it('takes a frame as long as the limit, and refuses one byte more before its end has come', () => {
    const codec = delimited(0x0a)
    const full = [{ bytes: Buffer.from(`${'x'.repeat(50)}\n`), fds: [] }]
    for (const { frames, error } of readInEveryWay(full, { codec, limits })) {
      expect([frames.length, error]).toEqual([1, undefined])
    }
    const error = refusalOf({ codec, good: Buffer.from('ok'), bad: Buffer.from('x'.repeat(51)), limits })
    expect(error).toMatchObject({ name: 'FrameTooLargeError', origin: 'remote', limit: 50 })
    expect(error.message).toContain('at byte 3 of the stream')
  })

  it('looks at no byte twice, however the frame comes', () => {
    const looked: number[] = []
    const codec: Codec = {
      ...delimited(0x0a),
      connection(given) {
        const { reader, writer } = delimited(0x0a).connection(given)
        const { measure } = reader
        reader.measure = (bytes, start, end, origin) => {
          const spied = new Proxy(bytes, {
            get(target, key) {
              if (typeof key === 'string' && /^\d+$/.test(key)) looked.push(origin + Number(key))
              const value = Reflect.get(target, key, target) as unknown
              return typeof value === 'function' ? value.bind(target) : value
            },
          })
          return measure.call(reader, spied, start, end, origin)
        }
        return { reader, writer }
      },
    }
    const decoder = new FrameDecoder(codec, limits, { largeFrom: 10 })
    const table = new FrameTable()
    let carried = new Uint8Array(0)
    let position = 0
    for (const byte of Buffer.from(`${'x'.repeat(25)}\n`)) {
      const bytes = Buffer.concat([carried, Buffer.of(byte)])
      decoder.push(0, bytes, 0, bytes.length, position, [])
      if (decoder.next(table)) expect(table.end(0) - table.start(0)).toBe(25)
      position += decoder.consumed
      carried = Buffer.from(bytes.subarray(decoder.consumed))
    }
    expect(looked).toEqual(Array.from({ length: 26 }, (_, i) => i))
  })

  it('leaves no more unconsumed than a chunk may carry, and takes memory for what came alone', () => {
    const decoder = new FrameDecoder(delimited(0x0a), frameLimits())
    const table = new FrameTable()
    const chunk = Buffer.alloc(40_000, 0x78)
    let position = 0
    for (let i = 0; i < 20; i++) {
      decoder.push(0, chunk, 0, chunk.length, position, [])
      expect(decoder.next(table)).toBe(false)
      expect(decoder.consumed).toBe(chunk.length)
      expect(decoder.wanted).toBeUndefined()
      position += chunk.length
    }
    const last = Buffer.from('end\nnext\n')
    decoder.push(0, last, 0, last.length, position, [])

    expect(decoder.next(table)).toBe(true)
    expect([table.length, table.end(0) - table.start(0), table.ownsBytes]).toEqual([1, 800_003, true])
    expect(table.bytes.buffer.byteLength).toBeLessThan(4 * 800_003)
    expect(table.position(0)).toBe(0)
    expect(decoder.next(table)).toBe(true)
    expect([table.position(0), table.ownsBytes]).toEqual([800_004, false])
    expect(decoder.consumed).toBe(last.length)
  })

  it('says where a frame began that the stream ended in', () => {
    for (const { error } of readInEveryWay([{ bytes: Buffer.from('ok\nmore'), fds: [3] }], {
      codec: delimited(0x0a),
      limits,
    })) {
      expect(error).toMatchObject({ name: 'ProtocolError', position: 3 })
    }
  })

  it.each([-1, 256, 0.5, '\n'])('has no delimiter %s', (byte) => {
    expect(() => delimited(byte as number)).toThrow(UsageError)
  })
})

describe('varlink()', () => {
  it('ends messages with NUL and has no empty ones', () => {
    const encoder = new FrameEncoder(varlink(), limits)
    const slab = new Uint8Array(10)
    expect(encoder.check(Buffer.from('{}'), 0)).toBe(2)
    expect(encoder.writeSmall(slab, 0, Buffer.from('{}'))).toBe(3)
    expect(Buffer.from(slab).toString('latin1', 0, 3)).toBe('{}\0')
    expect(() => encoder.check(Buffer.alloc(0), 0)).toThrow(UsageError)
    const error = refusalOf({ codec: varlink(), good: Buffer.from('{}'), bad: Buffer.from('\0{}\0') })
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error.message).toBe('a message is empty (at byte 3 of the stream)')
  })
})
