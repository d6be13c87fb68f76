/** capnp-ts over a stream: calls, descriptors by attachedFd, the ways in which a connection can end; and with capnp-es. */
import { Message } from 'capnp-ts'
import { Message as RpcMessage } from 'capnp-ts/src/std/rpc.capnp.js'
import { describe, expect, it } from 'vitest'
import { attachDescriptor, createConn, descriptorOf, FrameTransport } from '../../src/adapters/capnp-ts/index.js'
import { callCases } from '../../src/adapters/testing/index.js'
import { capnp } from '../../src/framing/index.js'
import type { Descriptor } from '../../src/stream/index.js'
import { named, streamPair, turns, until } from '../support/streams.js'
import { File, Peer } from './fixtures/generated/capnp-ts/peer.js'
import { capnpEsPeer } from './support/capnp-es-peer.js'
import { capnpTsPeer } from './support/capnp-ts-peer.js'
import { unhandled } from './support/unhandled.js'

function message(fill: (message: RpcMessage) => void): Uint8Array {
  const whole = new Message()
  fill(whole.initRoot(RpcMessage))
  return new Uint8Array(whole.toArrayBuffer())
}

/** The same message, whose first segment is a pointer into the second one. */
function inTwoSegments(bytes: Uint8Array): Uint8Array {
  const segment = bytes.subarray(8)
  const head = new Uint32Array([1, 1, segment.length / 8, 0, 2, 1])
  return Buffer.concat([new Uint8Array(head.buffer), segment])
}

describe('the kit', () => {
  const cases = callCases({
    streamOptions: { codec: capnp() },
    descriptors: 'carried',
    // capnp-ts decodes a text character by character into a rope. Of the case with 27 MB each way, the collector has
    // half the time for that alone, the stream a fortieth: 2 s on a machine with nothing else to do.
    patience: 30_000,
    attach: (stream, service) => capnpTsPeer(stream, service),
  })
  for (const { name, run } of cases) it(name, run, 60_000)
})

describe('calls', () => {
  it('go to what a call will return, before it has returned', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const server = capnpTsPeer(peer, {})
    const conn = createConn(stream)
    const file = conn.bootstrap(Peer).file((params) => params.setName('pipelined'))
    expect((await file.getFile().name()).getName()).toBe('pipelined')
    conn.close()
    server.close()
  })

  it('may lie in two segments, the first of which says only where the root is, and so may what belongs to them', async () => {
    const [nearest, left] = streamPair({ codec: capnp() })
    const [right, farthest] = streamPair({ codec: capnp() })
    left.on('frame', ({ payload }) => right.send(inTwoSegments(payload)))
    right.on('frame', ({ payload }) => left.send(inTwoSegments(payload)))
    const near = capnpTsPeer(nearest, {})
    const far = capnpTsPeer(farthest, { triple: (x: number) => 3 * x })
    expect([await near.call('triple', 5), await near.call('triple', 6)]).toEqual([15, 18])
    const { answers } = far.conn as unknown as { readonly answers: ReadonlyMap<number, unknown> }
    await until(() => answers.size === 0, 'the ends of all questions')
    near.close()
    far.close()
  })

  it('over the limit throw at the call; an answer over it is one that says so', async () => {
    const uncaught = unhandled()
    const streams = streamPair({ codec: capnp(), maxPayload: 20_000 })
    const near = capnpTsPeer(streams[0], {})
    const far = capnpTsPeer(streams[1], { grow: (text: string) => text.repeat(100), echo: (text: string) => text })

    await expect(near.call('echo', 'x'.repeat(30_000))).rejects.toMatchObject({ name: 'FrameTooLargeError' })
    await expect(near.call('grow', 'x'.repeat(1000))).rejects.toThrow(/payload of \d+ bytes/)
    expect(await near.call('echo', 'short')).toBe('short')
    near.close()
    far.close()
    await turns()
    expect(uncaught).toEqual([])
  })

  it('are none lost that came before anybody listened', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const payloads = Array.from({ length: 300 }, (_, i) => message((each) => each.initFinish().setQuestionId(i)))
    for (const payload of payloads) peer.send(payload)
    await peer.end()
    const transport = new FrameTransport(stream)
    await turns()
    const ids: number[] = []
    const closed = new Promise<unknown>((resolve) => transport.onClose(resolve))
    transport.onMessage((data) => ids.push(new Message(data, false).getRoot(RpcMessage).getFinish().getQuestionId()))

    expect(await closed).toMatchObject({ type: 'disconnected' })
    expect(ids).toEqual(payloads.map((_, i) => i))
  })
})

describe('the end', () => {
  it.each(['ended', 'destroyed', 'failing', 'closed'] as const)(
    'rejects every call when the peer is %s',
    async (how) => {
      const uncaught = unhandled()
      const streams = streamPair({ codec: capnp() })
      const errors: Error[] = []
      const near = capnpTsPeer(streams[0], {}, { onError: (error) => errors.push(error) })
      const far = capnpTsPeer(streams[1], { hang: () => new Promise(() => {}) })
      const settled = Promise.allSettled([near.call('hang'), near.call('hang')])
      await until(() => streams[1].stats.received.frames >= 3, 'the calls')
      if (how === 'closed') far.close()
      else if (how === 'ended') await streams[1].end()
      else streams[1].destroy(how === 'failing' ? new Error('lost') : undefined)

      expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
      await expect(near.call('hang')).rejects.toBeInstanceOf(Error)
      await until(() => streams[0].destroyed, 'the end of the stream')
      expect(errors.length).toBe(1)
      await turns()
      expect(uncaught).toEqual([])
    },
  )
})

describe('close()', () => {
  it('in a method lets no other begin, of those whose calls came with that one', async () => {
    const streams = streamPair({ codec: capnp() })
    const near = capnpTsPeer(streams[0], {})
    const begun: boolean[] = []
    const far = capnpTsPeer(streams[1], {
      note: (file: Descriptor) => {
        if (begun.push(file.closed) === 3) far.close()
      },
    })
    using file = named('one')
    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => near.call('note', file)))
    expect(outcomes.at(-1)).toMatchObject({ status: 'rejected' })
    expect(begun).toEqual([false, false, false])
    near.close()
  })
})

describe('a hostile peer', () => {
  const badCall = message((each) => {
    const call = each.initCall()
    call.initTarget().initPromisedAnswer().setQuestionId(0)
    call.getTarget().getPromisedAnswer().initTransform(2).get(1).setGetPointerField(9)
    call.setQuestionId(5)
  })
  it.each([
    ['words that are no message', [Buffer.concat([Buffer.from([0, 0, 0, 0, 1, 0, 0, 0]), Buffer.alloc(8, 0xff)])]],
    ['an empty message', [Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])]],
    ['a pointer past the end', [Buffer.from([0, 0, 0, 0, 1, 0, 0, 0, 0xfc, 0xff, 0, 0, 1, 0, 1, 0])]],
    ['a message of no kind', [message((each) => each.segment.setUint16(each.byteOffset + 8, 99))]],
    ['a call to where there is nothing', [message((each) => each.initBootstrap().setQuestionId(0)), badCall]],
  ])('that sends %s is cut off or answered, with a typed error', async (_title, sent) => {
    const uncaught = unhandled()
    const [stream, peer] = streamPair({ codec: capnp() })
    const errors: Error[] = []
    const end = capnpTsPeer(stream, {}, { onError: (error) => errors.push(error) })
    const pending = end.call('hang')
    pending.catch(() => {}) // looked at below
    peer.on('frame', () => {})
    for (const bytes of sent) peer.send(bytes)
    await peer.end()

    await expect(pending).rejects.toMatchObject({ name: 'RpcError' })
    expect(errors).toMatchObject([{ name: 'RpcError' }])
    await turns()
    expect(uncaught).toEqual([])
  })

  it('that answers with more capabilities than can be is cut off, and the call rejects', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const errors: Error[] = []
    const pending = capnpTsPeer(stream, {}, { onError: (error) => errors.push(error) }).call('any')
    peer.on('frame', () => {})
    peer.send(
      message((each) => {
        const answer = each.initReturn()
        answer.setAnswerId(1)
        answer.initResults().initCapTable(5000)
      }),
    )
    await expect(pending).rejects.toMatchObject({ name: 'RpcError', origin: 'remote' })
    expect(errors).toMatchObject([{ name: 'RpcError' }])
  })

  it('that does not implement a call rejects it', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const end = capnpTsPeer(stream, {})
    const pending = end.call('any')
    peer.on('frame', () => {})
    peer.send(message((each) => each.initUnimplemented().initCall().setQuestionId(1)))
    await expect(pending).rejects.toMatchObject({ type: 'unimplemented' })
    end.close()
  })

  it('has its descriptors closed that no capability takes, and those beyond a call’s end', async () => {
    const streams = streamPair({ codec: capnp() })
    const kept: Descriptor[] = []
    const near = capnpTsPeer(streams[0], {})
    const far = capnpTsPeer(streams[1], { keep: (files: Descriptor[]) => kept.push(...files) })
    streams[0].send(
      message((each) => each.initRelease().setId(1)),
      [named('stray')],
      { transfer: true },
    )
    using file = named('one')
    await near.call('keep', [file, file])
    expect(kept.map(({ closed }) => closed)).toEqual([true, true])
    near.close()
    far.close()
  })
})

describe('descriptors', () => {
  it('that are closed, or too many, fail the call; in a result they are the answer', async () => {
    const streams = streamPair({ codec: capnp() })
    const near = capnpTsPeer(streams[0], {})
    const closed = named('closed')
    closed.close()
    const far = capnpTsPeer(streams[1], { closed: () => closed, echo: (value: unknown) => value })
    using file = named('one')

    await expect(near.call('echo', closed)).rejects.toMatchObject({ code: 'ERR_PILLION_CLOSED' })
    await expect(near.call('echo', Array(254).fill(file))).rejects.toMatchObject({ name: 'TooManyDescriptorsError' })
    await expect(near.call('closed')).rejects.toThrow('closed')
    expect(await near.call('echo', 'still here')).toBe('still here')
    near.close()
    far.close()
  })

  it('have nothing to say of a capability that has none, and are all that can be attached', () => {
    const server = new File.Server({ name: () => Promise.resolve() })
    expect(descriptorOf({ client: {} as never })).toBeUndefined()
    expect(() => attachDescriptor(server, 7 as never)).toThrow('is a Descriptor')
  })
})

it('calls capnp-es, and is called by it', async () => {
  const streams = streamPair({ codec: capnp() })
  const near = capnpTsPeer(streams[0], { double: (x: number) => 2 * x })
  const far = capnpEsPeer(streams[1], { triple: (x: number) => 3 * x })
  expect([await near.call('triple', 5), await far.call('double', 5), await near.call('triple', 6)]).toEqual([
    15, 10, 18,
  ])
  near.close()
  far.close()
})

it('refuses a stream of another codec', () => {
  expect(() => createConn(streamPair()[0])).toThrow('for the codec capnp(), not for pillion')
})

describe('a peer that does not read', () => {
  it('makes calls fail once maxQueued bytes wait for it', async () => {
    const [stream] = streamPair({ codec: capnp() })
    const conn = createConn(stream, { maxQueued: 1_000_000 })
    const main = conn.bootstrap(Peer)
    const call = async () => main.call((params) => params.setValue('x'.repeat(100_000)))
    const calls = Array.from({ length: 30 }, call)
    await expect(calls.at(-1)).rejects.toMatchObject({ type: 'overloaded' })
    expect(stream.queuedBytes).toBeLessThan(1_300_000)
    stream.destroy()
    for (const each of calls) await expect(each).rejects.toThrow()
  })

  it('is left once maxQueued bytes of answers wait for it', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const errors: Error[] = []
    const server = new Peer.Server({
      call: async (_params, results) => results.setValue('x'.repeat(100_000)),
      file: () => {},
    })
    createConn(stream, { main: server, maxQueued: 1_000_000, onError: (error) => errors.push(error) })
    const asking = createConn(peer, { onError: () => {} }).bootstrap(Peer)
    await asking.call()
    peer.pause()
    const calls = Array.from({ length: 60 }, async () => asking.call())
    const outcomes = Promise.allSettled(calls)
    await until(() => stream.destroyed)
    expect(errors[0]).toMatchObject({ type: 'overloaded' })
    peer.resume()
    expect((await outcomes).some(({ status }) => status === 'rejected')).toBe(true)
  })
})
