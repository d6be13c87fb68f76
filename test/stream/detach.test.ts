/** A connection given away: nothing is lost on the way, and the peer notices nothing. */
import { writeSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Codec, delimited, pillion } from '../../src/framing/index.js'
import {
  adopt,
  ClosedError,
  type Descriptor,
  type Detached,
  type FrameStream,
  ProtocolError,
  type StreamOptions,
  UsageError,
} from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { closeDescriptors, pairUnix } from '../../src/transport/index.js'
import {
  destroyedAfterTest,
  fill,
  named,
  namesOf,
  pattern,
  readinesses,
  same,
  streamPair,
  take,
  text,
  turns,
  until,
} from '../support/streams.js'

/** What the stream consumes from now on, by event. */
function consumed(stream: FrameStream): string[] {
  const payloads: string[] = []
  stream.on('frame', (frame) => {
    payloads.push(text(frame.payload))
    frame[Symbol.dispose]()
  })
  return payloads
}

async function detached(stream: FrameStream): Promise<Detached> {
  await stream.stopReceiving()
  await stream.flush()
  return stream.detach()
}

function adoptAgain({ socket, unread }: Detached, options: StreamOptions = {}): FrameStream {
  return destroyedAfterTest(adopt(socket, { ...options, unread }))
}

/** A stream, and the other end as a bare number, for bytes that are no whole frames. */
function withRawPeer(options: StreamOptions = {}): [stream: FrameStream, peer: number] {
  const [ours, peer] = pairUnix()
  onTestFinished(() => closeDescriptors([peer]))
  return [destroyedAfterTest(adopt(adoptOwned(ours), options)), peer]
}

function framed(payload: Uint8Array, descriptors = 0): Buffer {
  const header = Buffer.from([0, 0, 0, 0, descriptors, 0, 0, 0xf1])
  header.writeUInt32LE(payload.length)
  return Buffer.concat([header, payload])
}

describe.each(readinesses)('with readiness %s', (readiness) => {
  test('detach gives the connection away, neither closed nor half-closed', async () => {
    const [a, b] = streamPair({ readiness })
    const seen = consumed(a)
    const answers = consumed(b)
    b.send(Buffer.from('one'))
    a.send(Buffer.from('answer one'), [named('with it')], { transfer: true })
    await until(() => seen.length === 1)

    const successor = adoptAgain(await detached(a), { readiness })
    const heir = consumed(successor)
    b.send(Buffer.from('two'))
    successor.send(Buffer.from('answer two'))
    await until(() => heir.length === 1 && answers.length === 2)

    expect([seen, heir, answers]).toEqual([['one'], ['two'], ['answer one', 'answer two']])
    expect([a.destroyed, b.destroyed, successor.destroyed]).toEqual([true, false, false])
    await a.closed
  })

  test('what the peer sends after stopReceiving waits in the kernel for whoever adopts the connection', async () => {
    const [a, b] = streamPair({ readiness })
    const seen = consumed(a)
    await a.stopReceiving()
    b.send(Buffer.from('late'), [named('rider')], { transfer: true })
    await b.flush()
    await turns()

    const [frame] = await take(adoptAgain(a.detach(), { readiness }), 1)
    expect([text(frame!.payload), namesOf(frame!)]).toEqual(['late', ['rider']])
    expect(seen).toEqual([])
  })

  const wires: [name: string, codec: Codec, whole: (payload: Uint8Array) => Buffer][] = [
    ['pillion', pillion(), framed],
    ['delimited', delimited(0), (payload) => Buffer.concat([payload, Buffer.from([0])])],
  ]
  describe.each(wires)('with codec %s', (_name, codec, whole) => {
    test.each([
      [40, 1],
      [40, 7],
      [40, 9],
      [40, 40],
      [30_000, 29_000],
      [200_000, 5],
      [200_000, 150_000],
    ])('of a frame of %i bytes, the first %i that were received go with the socket', async (length, part) => {
      const payload = Buffer.alloc(length, 'part')
      const bytes = whole(payload)
      const [stream, peer] = withRawPeer({ readiness, codec })
      const seen = consumed(stream)
      const before = whole(Buffer.from('before'))
      writeSync(peer, before)
      for (let at = 0; at < part; at += 20_000) {
        writeSync(peer, bytes.subarray(at, Math.min(part, at + 20_000)))
        await until(() => stream.stats.received.bytes === before.length + Math.min(part, at + 20_000))
      }

      const given = await detached(stream)
      expect(same(given.unread, bytes.subarray(0, part))).toBe(true)
      const frames = take(adoptAgain(given, { readiness, codec }), 2)
      const rest = Buffer.concat([bytes.subarray(part), whole(Buffer.from('behind'))])
      for (let at = 0; at < rest.length; at += 20_000) {
        writeSync(peer, rest.subarray(at, at + 20_000))
        await turns(1)
      }

      expect(seen).toEqual(['before'])
      const [first, second] = await frames
      expect(same(first!.payload, payload)).toBe(true)
      expect(text(second!.payload)).toBe('behind')
    })
  })

  test('an iterator is done behind the last frame that was received, and no end is emitted', async () => {
    const [a, b] = streamPair({ readiness })
    let ends = 0
    a.on('end', () => ends++)
    for (const word of ['one', 'two', 'three']) b.send(Buffer.from(word))
    const seen: string[] = []
    let stopped = false
    let stopping: Promise<void> | undefined
    for await (const { payload } of a) {
      stopping ??= a.stopReceiving().then(() => {
        stopped = true
      })
      await turns(2)
      expect(stopped).toBe(false) // it is at work with a frame
      seen.push(text(payload))
    }
    await stopping

    expect(seen).toEqual(['one', 'two', 'three'])
    expect([ends, a.destroyed]).toEqual([0, false])
    a.detach().socket.close()
  })

  test('a frame whose descriptors have come is received to its end before stopReceiving resolves', async () => {
    const [a, b] = streamPair({ readiness, sendBuffer: 4608 })
    const frames = a[Symbol.asyncIterator]()
    const payload = pattern(300_000)
    b.send(payload, [named('rider')], { transfer: true })
    await until(() => a.stats.received.bytes > 0)
    const stopping = a.stopReceiving()

    const [frame] = await take(frames, 1)
    expect(same(frame!.payload, payload)).toBe(true)
    expect(namesOf(frame!)).toEqual(['rider'])
    expect(await frames.next()).toEqual({ value: undefined, done: true })
    await stopping
    const { socket, unread } = a.detach()
    socket.close()
    expect(unread).toHaveLength(0)
  })

  test('frames by event that wait behind pause are consumed before stopReceiving resolves', async () => {
    const [a, b] = streamPair({ readiness })
    const seen: string[] = []
    a.on('frame', ({ payload }) => {
      seen.push(text(payload))
      a.pause()
    })
    b.send(Buffer.from('one'))
    b.send(Buffer.from('two'))
    await until(() => seen.length === 1)
    let stopped = false
    const stopping = a.stopReceiving().then(() => {
      stopped = true
    })
    await turns()
    expect([seen, stopped]).toEqual([['one'], false])
    expect(() => a.detach()).toThrow(UsageError)

    a.resume()
    await stopping
    expect(seen).toEqual(['one', 'two'])
    a.detach().socket.close()
  })
})

test('adopt gives whole frames among the unread bytes at once, though the peer says nothing', async () => {
  const [ours, peer] = pairUnix()
  onTestFinished(() => closeDescriptors([peer]))
  const large = pattern(100_000)
  const unread = Buffer.concat([framed(Buffer.from('one')), framed(large), framed(Buffer.from('cut')).subarray(0, 9)])
  const stream = destroyedAfterTest(adopt(adoptOwned(ours), { unread }))
  unread.fill(0) // copied: the caller's again
  const frames = stream[Symbol.asyncIterator]()
  const [one, two] = await take(frames, 2)
  writeSync(peer, framed(Buffer.from('cut')).subarray(9))
  const [three] = await take(frames, 1)

  expect([text(one!.payload), same(two!.payload, large), text(three!.payload)]).toEqual(['one', true, 'cut'])
})

test('a breach of the protocol among the unread bytes ends the stream, behind the frames before it', async () => {
  const [ours, peer] = pairUnix()
  onTestFinished(() => closeDescriptors([peer]))
  const unread = Buffer.concat([framed(Buffer.from('good')), Buffer.alloc(8)])
  const frames = adopt(adoptOwned(ours), { unread })[Symbol.asyncIterator]()

  expect(text((await take(frames, 1))[0]!.payload)).toBe('good')
  await expect(frames.next()).rejects.toThrow(ProtocolError)
})

test('adopt refuses unread bytes that are none, and leaves the socket to its owner', () => {
  const [ours, theirs] = pairUnix('seqpacket').map(adoptOwned)
  expect(() => adopt(ours!, { type: 'seqpacket', unread: new Uint8Array(1) })).toThrow(UsageError)
  expect(() => adopt(ours!, { type: 'seqpacket', unread: 'x' as never })).toThrow(UsageError)
  expect(ours!.closed).toBe(false)
  for (const end of [ours, theirs]) end!.close()
})

test.each(['seqpacket', 'datagram'] as const)('a %s socket is detached between two messages', async (type) => {
  const [a, b] = streamPair({ type })
  const seen = consumed(a)
  b.send(Buffer.from('one'))
  await until(() => seen.length === 1)
  const given = await detached(a)
  b.send(Buffer.from('two'), [named('rider')], { transfer: true })
  expect(given.unread).toHaveLength(0)
  const [frame] = await take(adoptAgain(given, { type }), 1)
  expect([text(frame!.payload), namesOf(frame!)]).toEqual(['two', ['rider']])
})

describe('detach', () => {
  test('throws a UsageError while frames may be received, and changes nothing', async () => {
    const [a, b] = streamPair()
    const seen = consumed(a)
    expect(() => a.detach()).toThrow(UsageError)
    b.send(Buffer.from('goes on'))
    await until(() => seen.length === 1)
  })

  test('throws a UsageError while frames wait to be sent, which flush awaits', async () => {
    const [a, b] = streamPair()
    await a.stopReceiving()
    const count = fill(a)
    expect(() => a.detach()).toThrow(UsageError)
    const arrived = consumed(b)
    await a.flush()
    a.detach().socket.close()
    await until(() => arrived.length === count)
  })

  test('throws a UsageError once this direction was ended, and a ClosedError once the stream is closed', async () => {
    const [a, b] = streamPair()
    await a.stopReceiving()
    await a.end()
    expect(() => a.detach()).toThrow(UsageError)
    b.destroy()
    expect(() => b.detach()).toThrow(ClosedError)
  })

  test('closes the socket, and with it nothing else, when a listener of close throws', async () => {
    const [a, b] = streamPair()
    a.on('close', () => {
      throw new Error('of the listener')
    })
    await a.stopReceiving()
    expect(() => a.detach()).toThrow('of the listener')
    expect((await b[Symbol.asyncIterator]().next()).done).toBe(true)
  })

  test('leaves a connection whose peer has ended to whoever adopts it, who sees the end too', async () => {
    const [a, b] = streamPair()
    const seen = consumed(a)
    b.send(Buffer.from('last'))
    await b.end()
    await until(() => seen.length === 1)
    const successor = adoptAgain(await detached(a))
    successor.send(Buffer.from('answer'))
    expect((await successor[Symbol.asyncIterator]().next()).done).toBe(true)
    expect(text((await take(b, 1))[0]!.payload)).toBe('answer')
  })
})

describe('stopReceiving', () => {
  test('rejects with what breaks the stream meanwhile, and with a ClosedError when it is destroyed', async () => {
    const [stream, peer] = withRawPeer()
    const broken = stream[Symbol.asyncIterator]().next()
    writeSync(peer, framed(Buffer.from('x'), 1).subarray(0, 8))
    await until(() => stream.stats.received.bytes === 8)
    const stopping = stream.stopReceiving()
    closeDescriptors([peer])
    await expect(stopping).rejects.toThrow(ProtocolError)
    await expect(broken).rejects.toThrow(ProtocolError)

    const [a] = streamPair()
    a.destroy()
    await expect(a.stopReceiving()).rejects.toThrow(ClosedError)
  })

  test('is waited for no longer than its signal says, and goes on all the same', async () => {
    const [a, b] = streamPair()
    const frames = a[Symbol.asyncIterator]()
    b.send(Buffer.from('one'))
    await until(() => a.stats.received.frames === 1)
    await expect(a.stopReceiving({ signal: AbortSignal.abort(new Error('no longer')) })).rejects.toThrow('no longer')

    await take(frames, 1)
    expect((await frames.next()).done).toBe(true)
    await a.stopReceiving()
    a.detach().socket.close()
  })
})

test.each(readinesses)('is taken over inside a batch without disturbing it, with readiness %s', async (readiness) => {
  const [sender, receiver] = streamPair({ readiness })
  for (const name of ['first', 'second', 'third']) sender.send(Buffer.from(name), [named(name)], { transfer: true })
  await sender.flush()
  const seen: (readonly [string, readonly string[]])[] = []
  receiver.onBatch((batch) => {
    for (let i = 0; i < batch.length; i++) {
      const [ours, theirs] = pairUnix().map(adoptOwned)
      destroyedAfterTest(adopt(theirs as Descriptor))
      // What another stream begins with is decoded while this batch is being looked at.
      const begun = adopt(ours as Descriptor, {
        unread: Buffer.concat([whole('a'), whole('b'), whole('c').subarray(0, 9)]),
      })
      destroyedAfterTest(begun)
      const frame = batch.frame(i)
      seen.push([text(frame.payload), namesOf(frame)])
    }
  })
  await until(() => seen.length === 3)
  expect(seen).toEqual(['first', 'second', 'third'].map((name) => [name, [name]]))
})

/** A frame without descriptors, as it lies on the wire. */
function whole(payload: string): Uint8Array {
  const bytes = Buffer.alloc(8 + payload.length)
  bytes.writeUInt32LE(payload.length)
  bytes[7] = 0xf1
  bytes.write(payload, 8)
  return bytes
}
