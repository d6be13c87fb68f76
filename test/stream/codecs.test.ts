/** Foreign formats over real sockets: what the codecs promise of a connection, and of sends, holds in the stream. */
import { describe, expect, it } from 'vitest'
import {
  type Codec,
  capnp,
  capnpMessage,
  contentLength,
  dbus,
  delimited,
  lengthPrefixed,
  pillion,
  raw,
  TooManyDescriptorsError,
  varlink,
  wayland,
} from '../../src/framing/index.js'
import { adopt, type FrameStream, type StreamOptions } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { dbusMessage, waylandMessage } from '../support/messages.js'
import { destroyedAfterTest, named, namesOf, same, streamPair, take, takeAll } from '../support/streams.js'

/** Two connected streams, each with its own codec. */
function streamsOf(left: StreamOptions, right: StreamOptions): [FrameStream, FrameStream] {
  const [a, b] = pairUnix()
  return [destroyedAfterTest(adopt(adoptOwned(a), left)), destroyedAfterTest(adopt(adoptOwned(b), right))]
}

const samples: readonly (readonly [string, Codec, (size: number, i: number) => Uint8Array])[] = [
  ['capnp()', capnp(), (size, i) => Buffer.concat(capnpMessage([Buffer.alloc(8 * size, i)]))],
  ['lengthPrefixed()', lengthPrefixed(), (size, i) => Buffer.alloc(size, i)],
  [
    "dbus({ auth: 'done' })",
    dbus({ auth: 'done' }),
    (size, i) => dbusMessage({ body: Buffer.alloc(size), descriptors: i % 3 }),
  ],
  ['varlink()', varlink(), (size, i) => Buffer.alloc(size + 1, 0x61 + i)],
  ['delimited()', delimited(0x0a), (size, i) => Buffer.alloc(size, 0x61 + i)],
]

describe.each(samples)('%s over a socket', (_name, codec, make) => {
  it('carries small and large frames with their descriptors', async () => {
    const [left, right] = streamPair({ codec })
    const payloads = [0, 5, 100_000, 3, 40_000, 1, 600_000, 2, 7].map(make)
    const sending = (async () => {
      for (const [i, payload] of payloads.entries()) {
        const descriptors = Array.from({ length: i % 3 }, (_, k) => named(`${i}.${k}`))
        left.send(payload, payload.length > 0 ? descriptors : [], { transfer: true })
        await left.drained()
      }
      await left.end()
    })()
    const frames = await takeAll(right)
    await sending

    expect(frames.map(({ payload }, i) => same(payload, payloads[i]!))).toEqual(payloads.map(() => true))
    expect(frames.map(namesOf)).toEqual(payloads.map((_, i) => Array.from({ length: i % 3 }, (_, k) => `${i}.${k}`)))
  })
})

describe('contentLength() over a socket', () => {
  it('carries small and large messages, and by default no descriptors', async () => {
    const [left, right] = streamPair({ codec: contentLength() })
    using descriptor = named('one')
    expect(() => left.send(Buffer.from('{}'), [descriptor])).toThrow(TooManyDescriptorsError)
    const payloads = [0, 5, 100_000, 3, 600_000, 2].map((size, i) => Buffer.alloc(size, 0x61 + i))
    const sending = (async () => {
      for (const payload of payloads) left.send(payload)
      await left.end()
    })()
    const frames = await takeAll(right)
    await sending
    expect(frames.map(({ payload }, i) => same(payload, payloads[i]!))).toEqual(payloads.map(() => true))
  })

  it('is what the stream says that it speaks', () => {
    expect(streamPair({ codec: contentLength() })[0].codec).toBe(contentLength())
    expect(streamPair()[0].codec).toBe(pillion())
    expect(streamPair({ type: 'seqpacket' })[0].codec).toBeUndefined()
  })
})

describe('dbus() over a socket', () => {
  it('passes from lines to messages on both ends, though the client waits for nothing', async () => {
    const [client, server] = streamsOf({ codec: dbus() }, { codec: dbus({ auth: 'server' }) })
    for (const line of ['\0AUTH EXTERNAL 30\r\n', 'NEGOTIATE_UNIX_FD\r\n', 'BEGIN\r\n']) client.send(Buffer.from(line))
    client.send(dbusMessage({ descriptors: 1 }), [named('passed')], { transfer: true })
    const asked = await take(server, 4)
    for (const line of ['OK 1234\r\n', 'AGREE_UNIX_FD\r\n']) server.send(Buffer.from(line))
    server.send(dbusMessage({ endian: 'B', descriptors: 2 }), [named('back'), named('too')], { transfer: true })
    const answered = await take(client, 3)

    expect(asked.map(({ payload }) => payload.length)).toEqual([19, 19, 7, dbusMessage({ descriptors: 1 }).length])
    expect(asked.map(namesOf)).toEqual([[], [], [], ['passed']])
    expect(answered.map(namesOf)).toEqual([[], [], ['back', 'too']])
  })
})

describe('wayland() over a socket', () => {
  it('gathers no more than 4,096 bytes in a send, each ending with a message', async () => {
    const codec = wayland((_object, opcode) => opcode)
    // Where it does not look for room first, a recvmsg takes all that it may: so it ends where the send did.
    const [left, right] = streamsOf({ codec }, { codec: raw(), descriptorHeadroom: 0 })
    const [message, bearing] = [waylandMessage(1, 0, 248), waylandMessage(1, 1, 248)] // 1,000 bytes each
    left.send(message) // goes out at once, what follows at the end of this tick
    const plain = [9, 3, 9, 2]
    for (const [i, count] of plain.entries()) {
      left.send(bearing, [named(i)], { transfer: true })
      for (let k = 0; k < count; k++) left.send(message)
    }
    await left.end()
    const frames = await takeAll(right)

    let end = 0
    let start = 1000
    const sends: number[] = []
    for (const frame of frames) {
      end += frame.payload.length
      const bears = frame.descriptors.length > 0
      expect(namesOf(frame)).toEqual(bears ? [String(sends.length)] : [])
      if (!bears) continue
      // A recvmsg ends behind the send that bore its set.
      sends.push(end - start)
      start += 1000 * (1 + plain[sends.length - 1]!)
    }
    expect(end).toBe(28_000)
    expect(sends.slice(1)).toEqual([4000, 1000, 3000])
  })

  it('pairs by the order of descriptors', async () => {
    const codec = wayland((_object, opcode) => opcode)
    const [left, right] = streamsOf({ codec: raw() }, { codec })
    const early = Buffer.concat([waylandMessage(1, 0), waylandMessage(1, 2).subarray(0, 4)])
    left.send(early, [named('a'), named('b'), named('c')], { transfer: true })
    left.send(Buffer.concat([waylandMessage(1, 2).subarray(4), waylandMessage(1, 1)]))
    await left.end()

    expect((await takeAll(right)).map(namesOf)).toEqual([[], ['a', 'b'], ['c']])
  })
})

describe('raw() over a socket', () => {
  it('carries any bytes, with each set behind those it came with', async () => {
    const [left, right] = streamPair({ codec: raw() })
    left.send(Buffer.from('plain'))
    left.send(Buffer.from('one'), [named('1')], { transfer: true })
    left.send(Buffer.alloc(0))
    left.send(Buffer.from('two'), [named('2')], { transfer: true })
    await left.end()
    const frames = await takeAll(right)

    expect(frames.map(({ payload }) => Buffer.from(payload).toString()).join('')).toBe('plainonetwo')
    const last = frames.filter(({ descriptors }) => descriptors.length > 0)
    expect(last.map(({ payload }) => Buffer.from(payload).toString().slice(-3))).toEqual(['one', 'two'])
    expect(last.map(namesOf)).toEqual([['1'], ['2']])
  })
})

it("has the codec's limits unless it is told others", async () => {
  const [left] = streamPair({ codec: wayland(() => 0) })
  expect(() => left.send(waylandMessage(1, 0, 2000))).toThrow(/4096/)
  const [small] = streamPair({ codec: dbus({ auth: 'done' }), maxPayload: 20 })
  expect(() => small.send(dbusMessage())).toThrow(/limit is 20/)
})
