import { describe, expect, it } from 'vitest'
import { type Codec, FrameDecoder, FrameTable, frameLimits, ProtocolError, pillion } from '../../src/framing/index.js'
import { accountOf, FramingReceiver, readInEveryWay, type SentFrame, sendsOf } from '../../src/framing/testing/index.js'
import { linesWithLength } from '../support/framing-codecs.js'

const limits = frameLimits()

function plain(...lengths: number[]): SentFrame[] {
  return lengths.map((length, i) => ({ payload: new Uint8Array(length).fill(i + 1), fds: [] }))
}

function bytesOf(frames: readonly SentFrame[], codec = pillion()): Uint8Array {
  return Buffer.concat(sendsOf(codec, limits, frames).map((send) => send.bytes))
}

/** A decoder with all that a caller passes to it by default. */
function decoderOf(largeFrom = 100, codec = pillion()) {
  const decoder = new FrameDecoder(codec, limits, { largeFrom })
  const table = new FrameTable()
  const push = (bytes: Uint8Array, position = 0, lent = 0) => {
    decoder.push(lent, bytes, 0, bytes.length, position, [])
    return decoder.next(table)
  }
  return { decoder, table, push }
}

describe('a frame decoder', () => {
  for (const [name, codec] of [
    ['pillion', pillion()],
    ['lines with length', linesWithLength()],
  ] as const) {
    it(`finds the frames of ${name} however they are read, small and large ones, with more behind them`, () => {
      const frames = plain(0, 1, 5, 99, 100, 101, 0, 5000, 3)
      for (const outcome of readInEveryWay(sendsOf(codec, limits, frames), { codec, limits, largeFrom: 100 })) {
        expect(outcome.error, outcome.way).toBeUndefined()
        expect(
          outcome.frames.map((frame) => Buffer.from(frame.payload)),
          outcome.way,
        ).toEqual(frames.map((frame) => Buffer.from(frame.payload)))
      }
    })
  }

  it('leaves payloads where they lie', () => {
    const { table, push } = decoderOf()
    const bytes = bytesOf(plain(3, 4))

    expect(push(bytes)).toBe(true)
    expect(table.bytes).toBe(bytes)
    expect(table.ownsBytes).toBe(false)
    expect([table.start(0), table.end(0), table.start(1), table.end(1)]).toEqual([8, 11, 19, 23])
    expect(table.position(1)).toBe(19)
  })

  it('does not consume a small frame that is not all there', () => {
    const { decoder, table, push } = decoderOf()
    const bytes = bytesOf(plain(3, 40))

    push(bytes.subarray(0, 30))
    expect(table.length).toBe(1)
    expect(decoder.consumed).toBe(11)
    expect(decoder.wanted).toBeUndefined()

    expect(push(bytes.subarray(11), 11)).toBe(true)
    expect(decoder.consumed).toBe(48)
    expect(table.position(0)).toBe(19)
  })

  it('gives a large frame memory of its own once its header is there, and wants the rest in it', () => {
    const { decoder, table, push } = decoderOf()
    const bytes = bytesOf(plain(500, 2))

    expect(push(bytes.subarray(0, 20))).toBe(false)
    expect(decoder.consumed).toBe(20)
    expect(decoder.wanted?.length).toBe(488)

    decoder.wanted?.set(bytes.subarray(20, 100))
    expect(push(new Uint8Array(0), 100, 80)).toBe(false)
    expect(decoder.wanted?.length).toBe(408)

    expect(push(bytes.subarray(100), 100)).toBe(true)
    expect(table.length).toBe(1)
    expect(table.ownsBytes).toBe(true)
    expect(Buffer.from(table.bytes)).toEqual(Buffer.alloc(500, 1))
    expect(table.position(0)).toBe(8)
    expect(decoder.wanted).toBeUndefined()

    expect(decoder.next(table)).toBe(true)
    expect([table.length, table.ownsBytes, table.end(0) - table.start(0)]).toEqual([1, false, 2])
    expect(decoder.next(table)).toBe(false)
  })

  it('takes memory for no more than the header announces, and for none before the header is there', () => {
    const { decoder, push } = decoderOf(8)
    const bytes = bytesOf(plain(500))

    push(bytes.subarray(0, 7))
    expect(decoder.wanted).toBeUndefined()
    push(bytes.subarray(0, 8))
    expect(decoder.wanted?.buffer.byteLength).toBe(500)
  })

  it('looks at no header twice, nor before there is enough of it', () => {
    const looks: number[] = []
    const codec: Codec = {
      ...pillion(),
      connection(given) {
        const { reader, writer } = pillion().connection(given)
        const { measure } = reader
        reader.measure = (bytes, start, end, origin) => {
          looks.push(origin + start)
          return measure.call(reader, bytes, start, end, origin)
        }
        return { reader, writer }
      },
    }
    const receiver = new FramingReceiver(codec, limits, 30)
    for (const byte of bytesOf(plain(10, 50, 2))) receiver.take([{ bytes: Uint8Array.of(byte), set: undefined }], true)

    expect(receiver.frames.length).toBe(3)
    // Once with the first byte, which tells how many more it takes, and once with these.
    expect(looks).toEqual([0, 0, 18, 18, 76, 76])
  })

  it('knows the end between two frames from an end inside one', () => {
    const bytes = bytesOf(plain(4, 200))
    for (let end = 0; end <= bytes.length; end++) {
      for (const outcome of readInEveryWay([{ bytes: bytes.subarray(0, end), fds: [] }], {
        codec: pillion(),
        limits,
        largeFrom: 100,
      })) {
        if (end === 0 || end === 12 || end === bytes.length) {
          expect(outcome.error, `${outcome.way}, ${end}`).toBeUndefined()
        } else {
          expect(outcome.error, `${outcome.way}, ${end}`).toBeInstanceOf(ProtocolError)
          expect(outcome.error, `${outcome.way}, ${end}`).toMatchObject({ position: end < 12 ? 0 : 12 })
        }
      }
    }
  })

  it('says how much of the frame was there when the stream ended', () => {
    const endAt = (length: number, largeFrom?: number) => {
      const { decoder, push } = decoderOf(largeFrom)
      push(bytesOf(plain(50)).subarray(0, length))
      return decoder.finish()?.message
    }

    expect(endAt(5)).toContain('after 5 bytes, its length not known yet')
    expect(endAt(30)).toContain('after 30 of 58 bytes')
    expect(endAt(30, 10)).toContain('after 30 of 58 bytes')
  })

  it('stays in error, delivers nothing more, and gives back what is pushed all the same', () => {
    const { decoder, table, push } = decoderOf()
    push(Buffer.alloc(20, 0xff))
    const { error } = decoder
    expect(error).toBeInstanceOf(ProtocolError)
    expect(decoder.consumed).toBe(20)

    const good = bytesOf(plain(1))
    decoder.push(0, good, 0, good.length, 20, [{ end: 25, truncated: false, fds: [7, 8] }])

    expect(decoder.next(table)).toBe(false)
    expect(decoder.discarded).toEqual([7, 8])
    expect(decoder.finish()).toBe(error)
  })

  it('releases what it holds once, in the middle of a frame and between two tables', () => {
    const frames = [
      { payload: new Uint8Array(500), fds: [1, 2] },
      { payload: new Uint8Array(1), fds: [3] },
    ]
    const [first, second] = sendsOf(pillion(), limits, frames)
    const { decoder, table } = decoderOf()
    decoder.push(0, first!.bytes.subarray(0, 300), 0, 300, 0, [{ end: 300, truncated: false, fds: [1, 2] }])
    decoder.next(table)
    const rest = Buffer.concat([first!.bytes.subarray(300), second!.bytes])
    decoder.push(0, rest, 0, rest.length, 300, [{ end: 300 + rest.length, truncated: false, fds: [3] }])

    expect(decoder.next(table)).toBe(true)
    expect(table.bearing(0)?.fds).toEqual([1, 2])
    expect(decoder.release()).toEqual([3])
    expect(decoder.release()).toEqual([])
    expect(decoder.next(table)).toBe(false)
    expect(decoder.wanted).toBeUndefined()
  })

  it('ends the stream, not the process, when a codec trips over its input', () => {
    const codec: Codec = {
      ...pillion(),
      connection(given) {
        const { reader, writer } = pillion().connection(given)
        return { reader: Object.assign(reader, { measure: () => (undefined as unknown as number[])[0]! }), writer }
      },
    }
    for (const outcome of readInEveryWay([{ bytes: bytesOf(plain(1)), fds: [7] }], { codec, limits })) {
      expect(outcome.error, outcome.way).toBeInstanceOf(ProtocolError)
      expect(outcome.error?.cause, outcome.way).toBeInstanceOf(TypeError)
      expect(accountOf(outcome), outcome.way).toEqual([7])
    }
  })

  it('keeps offsets and positions apart far into a stream', () => {
    const { table, push } = decoderOf()
    push(bytesOf(plain(3, 4)), 2 ** 40)

    expect(table.position(1)).toBe(2 ** 40 + 19)
  })

  it('fits thousands of frames of one chunk into a table', () => {
    const { decoder, table, push } = decoderOf()

    expect(push(bytesOf(plain(...new Array<number>(5000).fill(1))))).toBe(true)
    expect(table.length).toBe(5000)
    expect(table.end(4999)).toBe(5000 * 9)
    expect(decoder.next(table)).toBe(false)
    expect(table.length).toBe(0)
  })
})
