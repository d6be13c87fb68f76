import { describe, expect, it } from 'vitest'
import {
  type Codec,
  type CodecConnection,
  DescriptorMismatchError,
  dbus,
  FrameDecoder,
  FrameEncoder,
  FrameTable,
  frameLimits,
  ProtocolError,
  TooManyDescriptorsError,
  UsageError,
} from '../../../src/framing/index.js'
import { readInEveryWay } from '../../../src/framing/testing/index.js'
import { dbusMessage, field, padded, word32 } from '../../support/messages.js'
import { refusalOf } from './refusals.js'

const done = dbus({ auth: 'done' })
const limits = frameLimits({}, done)
const good = dbusMessage()

/** Both directions of a connection, by what is sent and received. */
class Connection {
  readonly #decoder: FrameDecoder
  readonly #encoder: FrameEncoder
  #position = 0

  constructor(codec: Codec) {
    const connection: CodecConnection = codec.connection(limits)
    this.#decoder = new FrameDecoder(codec, limits, { connection })
    this.#encoder = new FrameEncoder(codec, limits, connection)
  }

  send(payload: string | Uint8Array, descriptors = 0): void {
    const bytes = Buffer.from(payload)
    this.#encoder.check(bytes, descriptors)
    this.#encoder.writeSmall(new Uint8Array(this.#encoder.wireLength(bytes.length)), 0, bytes)
  }

  receive(bytes: string | Uint8Array): string[] {
    const chunk = Buffer.from(bytes)
    const table = new FrameTable()
    const frames: string[] = []
    this.#decoder.push(0, chunk, 0, chunk.length, this.#position, [])
    while (this.#decoder.next(table)) {
      for (let i = 0; i < table.length; i++) {
        frames.push(Buffer.from(table.bytes.subarray(table.start(i), table.end(i))).toString('latin1'))
      }
    }
    if (this.#decoder.error !== undefined) throw this.#decoder.error
    expect(this.#decoder.consumed).toBe(chunk.length)
    this.#position += chunk.length
    return frames
  }
}

const shown = (message: Uint8Array) => Buffer.from(message).toString('latin1')

describe("a D-Bus connection's text phase", () => {
  it('ends with BEGIN for a client, whose messages follow at once', () => {
    const client = new Connection(dbus())
    client.send('\0AUTH EXTERNAL 30\r\n')
    expect(client.receive('OK 1234\r\n')).toEqual(['OK 1234\r\n'])
    client.send('NEGOTIATE_UNIX_FD\r\n')
    expect(client.receive('AGREE_UNIX_FD\r\n')).toEqual(['AGREE_UNIX_FD\r\n'])
    client.send('BEGIN\r\n')
    client.send(dbusMessage({ descriptors: 1 }), 1)
    expect(client.receive(good)).toEqual([shown(good)])
  })

  it('goes on for the answers of a server when a client has sent all without waiting', () => {
    const client = new Connection(dbus())
    for (const line of ['\0AUTH EXTERNAL\r\n', 'DATA\r\n', 'NEGOTIATE_UNIX_FD\r\n', 'BEGIN\r\n']) client.send(line)
    client.send(good)
    expect(client.receive('DATA\r\nOK 1234\r\nAGREE_UNIX_FD\r\n').length).toBe(3)
    expect(client.receive(dbusMessage({ endian: 'B' }))).toEqual([shown(dbusMessage({ endian: 'B' }))])
  })

  it('ends for a server with the BEGIN it receives, once it has answered what came before', () => {
    const server = new Connection(dbus({ auth: 'server' }))
    const came = server.receive(`\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n${shown(good)}`)
    expect(came).toEqual(['\0AUTH EXTERNAL 30\r\n', 'NEGOTIATE_UNIX_FD\r\n', 'BEGIN\r\n', shown(good)])
    expect(() => server.send(good)).toThrow(UsageError)
    server.send('OK 1234\r\n')
    server.send('AGREE_UNIX_FD\r\n')
    expect(() => server.send('OK again\r\n')).toThrow(UsageError)
    server.send(good)
  })

  it('is not begun by a line that was checked and not sent, nor by one that only starts alike', () => {
    const codec = dbus()
    const connection = codec.connection(limits)
    const encoder = new FrameEncoder(codec, limits, connection)
    const first = Buffer.from('\0AUTH EXTERNAL\r\n')
    encoder.check(first, 0)
    encoder.check(first, 0)
    encoder.writeSmall(new Uint8Array(99), 0, first)
    encoder.check(Buffer.from('BEGIN\r\n'), 0)
    for (const line of ['DATA\r\n', 'BEGINNING\r\n', 'begin\r\n']) {
      encoder.check(Buffer.from(line), 0)
      encoder.writeSmall(new Uint8Array(99), 0, Buffer.from(line))
    }
    expect(() => encoder.check(good, 0)).toThrow(UsageError)
  })

  it.each([
    ['without NUL, as the first', 'AUTH\r\n'],
    ['without CRLF', '\0AUTH\n'],
    ['that is two', '\0AUTH\r\nBEGIN\r\n'],
    ['with NUL in it', '\0AUTH \0\r\n'],
    ['that is empty', ''],
  ])('sends no line %s', (_what, line) => {
    expect(() => new Connection(dbus()).send(line)).toThrow(UsageError)
  })

  it('sends no descriptors with a line', () => {
    expect(() => new Connection(dbus()).send('\0AUTH\r\n', 1)).toThrow(UsageError)
  })

  it.each([
    ['a first line without NUL', 'AUTH EXTERNAL\r\n', "a client's first line does not begin with NUL"],
    ['a line without CR', '\0AUTH\n', 'a line does not end with CRLF'],
    ['NUL in a line', '\0AUTH\0\r\n', 'a line holds NUL'],
  ])('refuses %s', (_what, bytes, message) => {
    const codec = dbus({ auth: 'server' })
    for (const { error, way } of readInEveryWay([{ bytes: Buffer.from(bytes), fds: [] }], { codec, limits })) {
      expect(error, way).toBeInstanceOf(ProtocolError)
      expect(error?.message, way).toBe(`${message} (at byte 0 of the stream)`)
    }
  })

  it('refuses a line without an end', () => {
    const codec = dbus()
    for (const { error, way } of readInEveryWay([{ bytes: Buffer.alloc(17_000, 0x61), fds: [] }], { codec, limits })) {
      expect(error, way).toMatchObject({ name: 'FrameTooLargeError', origin: 'remote', limit: 16 * 1024, position: 0 })
    }
  })

  it('leaves a set that came with it to the message behind it, and refuses one that no message has announced', () => {
    const codec = dbus({ auth: 'server' })
    const text = Buffer.from('\0AUTH\r\nBEGIN\r\n')
    const gathered = [{ bytes: Buffer.concat([text, dbusMessage({ descriptors: 2 })]), fds: [1, 2] }]
    const [whole] = readInEveryWay(gathered, { codec, limits })
    expect(whole?.frames.map(({ fds }) => fds)).toEqual([[], [], [1, 2]])
    for (const { error, frames, way } of readInEveryWay([{ bytes: text, fds: [1] }], { codec, limits })) {
      expect(error, way).toBeInstanceOf(DescriptorMismatchError)
      expect(
        frames.every(({ fds }) => fds.length === 0),
        way,
      ).toBe(true)
    }
  })
})

describe('a D-Bus message', () => {
  /** A field of an unknown code and any signature, ahead of UNIX_FDS. */
  const withField = (signature: string, value: Uint8Array) => {
    const start = Buffer.concat([Buffer.from([200, signature.length]), Buffer.from(`${signature}\0`)])
    const unknown = Buffer.concat([padded(start, signature.length === 1 && signature !== 'd' ? 4 : 8), value])
    return Buffer.concat([padded(unknown, 8), field(9, 'u'), word32(3)])
  }

  it.each([
    ['a string', 's', Buffer.concat([word32(5), Buffer.from('hello\0')])],
    ['a signature', 'g', Buffer.from([2, 0x61, 0x75, 0])],
    ['a double', 'd', Buffer.alloc(8, 1)],
    [
      'an array of strings',
      'as',
      Buffer.concat([word32(14), word32(1), Buffer.from('a\0\0\0'), word32(1), Buffer.from('b\0')]),
    ],
    ['an empty array of structs', 'a(tt)', Buffer.concat([word32(0), Buffer.alloc(4)])],
    ['a dictionary', 'a{yv}', Buffer.concat([word32(6), Buffer.alloc(4), Buffer.from([7, 1, 0x79, 0, 9, 0])])],
    ['a struct of a variant', '(yv)', Buffer.from([1, 1, 0x71, 0, 5, 0])],
  ])('tells its descriptors behind a field that is %s', (_what, signature, value) => {
    const { reader } = done.connection(limits)
    const message = dbusMessage({ fields: withField(signature, value), body: Buffer.alloc(5) })
    expect(reader.measure(message, 0, message.length, 0)).toBe(message.length)
    expect(reader.descriptors).toBe(3)
  })

  it('is known by its header, in either byte order, and not before all of that is there', () => {
    for (const endian of ['l', 'B'] as const) {
      const { reader } = done.connection(limits)
      const message = dbusMessage({ endian, descriptors: 4, body: Buffer.alloc(100) })
      expect(reader.measure(message, 0, 15, 0)).toBe(0)
      expect(reader.need).toBe(16)
      expect(reader.measure(message, 0, 16, 0)).toBe(0)
      expect(reader.need).toBe(message.length - 100)
      expect(reader.measure(message, 0, reader.need, 0)).toBe(message.length)
      expect(reader).toMatchObject({ payloadOffset: 0, payloadLength: message.length, descriptors: 4 })
    }
  })

  it('has a header of any length', () => {
    const message = dbusMessage({ path: `/${'x'.repeat(100_000)}`, descriptors: 2 })
    for (const outcome of readInEveryWay([{ bytes: Buffer.concat([message, good]), fds: [1, 2] }], {
      codec: done,
      limits,
    })) {
      expect(outcome.error, outcome.way).toBeUndefined()
      expect(
        outcome.frames.map(({ payload, fds }) => [payload.length, ...fds]),
        outcome.way,
      ).toEqual([[message.length, 1, 2], [good.length]])
    }
  })

  it.each([
    ['another byte order', { endian: 'b' as 'B' }, 'byte 0 of a message is 0x62, expected 0x6c (l) or 0x42 (B)'],
    ['another version', { version: 2 }, 'a message has the version 2, expected 1'],
    ['the invalid type', { type: 0 }, 'a message has the type 0, which is none'],
    ['no serial', { serial: 0 }, 'a message has the serial 0, which is none'],
    ['a field without a code', { fields: field(0, 'u') }, 'a field of a message has no code or no signature'],
    [
      'a count that is cut off',
      { fields: field(9, 'u') },
      'field 9 of a message is not within the header, or not of its signature',
    ],
    [
      'a count that is no number',
      { fields: Buffer.concat([field(9, 'g'), Buffer.alloc(2)]) },
      'a message has a UNIX_FDS that is no u32, or two of them',
    ],
    [
      'a string past the header',
      { fields: Buffer.concat([field(7, 's'), word32(0xffff_ffff)]) },
      'field 7 of a message is not within the header, or not of its signature',
    ],
    [
      'a field of two types',
      { fields: Buffer.concat([field(7, 'uu'), Buffer.alloc(16)]) },
      'field 7 of a message is not within the header, or not of its signature',
    ],
    [
      'an open struct',
      { fields: Buffer.concat([field(7, '(u'), Buffer.alloc(16)]) },
      'field 7 of a message is not within the header, or not of its signature',
    ],
    [
      'variants without end',
      { fields: Buffer.concat([field(7, 'v'), Buffer.from('\x01v\0'.repeat(100))]) },
      'field 7 of a message is not within the header, or not of its signature',
    ],
  ])('is refused with %s', (_what, shape, message) => {
    const error = refusalOf({ codec: done, good, bad: Buffer.concat([dbusMessage(shape), Buffer.alloc(16)]) })
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error.message).toBe(`${message} (at byte ${good.length} of the stream)`)
  })

  it('is refused with two counts', () => {
    const counts = Buffer.concat([padded(Buffer.concat([field(9, 'u'), word32(1)]), 8), field(9, 'u'), word32(1)])
    expect(refusalOf({ codec: done, good, bad: dbusMessage({ fields: counts }) }).message).toContain('two of them')
  })

  it('is refused by its lengths before there is any of it', () => {
    const header = (body: number, fields: number) =>
      Buffer.concat([Buffer.from('l\x04\0\x01'), word32(body), word32(1), word32(fields)])
    expect(refusalOf({ codec: done, good, bad: header(0, 2 ** 26 + 1) })).toBeInstanceOf(ProtocolError)
    expect(refusalOf({ codec: done, good, bad: header(0, 0xffff_ffff) })).toBeInstanceOf(ProtocolError)
    const tooLong = { name: 'FrameTooLargeError', origin: 'remote', limit: 2 ** 27 }
    expect(refusalOf({ codec: done, good, bad: header(2 ** 27 - 15, 0) })).toMatchObject(tooLong)
    expect(refusalOf({ codec: done, good, bad: header(0xffff_ffff, 16) })).toMatchObject(tooLong)
    const option = { maxPayload: 2 ** 30 }
    expect(refusalOf({ codec: done, good, bad: header(0xffff_ffff, 16), limits: option })).toMatchObject(tooLong)
  })

  it('bears 16 descriptors, or as many as the codec is told', () => {
    const bad = dbusMessage({ descriptors: 17 })
    expect(refusalOf({ codec: done, good, bad })).toBeInstanceOf(TooManyDescriptorsError)
    const more = dbus({ auth: 'done', maxDescriptors: 20 })
    const encoder = new FrameEncoder(more, frameLimits({}, more))
    expect(encoder.check(bad, 17)).toBe(bad.length)
    expect(() => new FrameEncoder(done, frameLimits({ maxDescriptors: 20 }, done)).check(bad, 17)).toThrow(
      TooManyDescriptorsError,
    )
    for (const maxDescriptors of [-1, 254, 0.5]) expect(() => dbus({ maxDescriptors })).toThrow(UsageError)
    expect(() => dbus({ auth: 'never' as 'done' })).toThrow(UsageError)
  })

  it('is sent whole, with as many descriptors as it announces', () => {
    const encoder = new FrameEncoder(done, limits)
    const two = dbusMessage({ descriptors: 2, body: Buffer.alloc(3) })
    expect(encoder.check(two, 2)).toBe(two.length)
    expect(encoder.check([two.subarray(0, 5), two.subarray(5, 40), two.subarray(40)], 2)).toBe(two.length)
    for (const count of [0, 1, 3]) expect(() => encoder.check(two, count)).toThrow(UsageError)
    for (const wrong of [two.subarray(0, -1), Buffer.concat([two, good]), Buffer.alloc(3), Buffer.alloc(40)]) {
      expect(() => encoder.check(wrong, 2)).toThrow(UsageError)
    }
  })
})
