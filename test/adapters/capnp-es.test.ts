/** capnp-es over a stream: calls, descriptors by attachedFd, and the ways in which a connection can end. */
import { Conn, Message as Whole } from 'capnp-es'
import { Message } from 'capnp-es/capnp/rpc'
import { describe, expect, it, onTestFinished } from 'vitest'
import { attachDescriptor, descriptorOf, FrameConn, FrameTransport } from '../../src/adapters/capnp-es/index.js'
import { callCases } from '../../src/adapters/testing/index.js'
import { capnp } from '../../src/framing/index.js'
import type { Descriptor, FrameStream } from '../../src/stream/index.js'
import { named, nameOf, streamPair, turns, until } from '../support/streams.js'
import { File, Peer } from './fixtures/generated/capnp-es/peer.js'
import { type CapnpEnd, capnpEsPeer } from './support/capnp-es-peer.js'
import { unhandled } from './support/unhandled.js'

function ends(methods: object = {}, back: object = {}): { near: CapnpEnd; far: CapnpEnd; streams: FrameStream[] } {
  const streams = streamPair({ codec: capnp() })
  const near = capnpEsPeer(streams[0], back)
  const far = capnpEsPeer(streams[1], methods)
  onTestFinished(() => {
    near.close()
    far.close()
  })
  return { near, far, streams }
}

function message(fill: (message: Message) => void): Uint8Array {
  const whole = new Whole()
  fill(whole.initRoot(Message))
  return new Uint8Array(whole.toArrayBuffer())
}

describe('calls', () => {
  it('are answered in order, both ways, of every size', async () => {
    const seen: number[] = []
    const note = (i: number, text: string) => {
      seen.push(i)
      return text
    }
    const { near, far } = ends({ note }, { double: (x: number) => 2 * x })
    const texts = Array.from({ length: 100 }, (_, i) => 'é'.repeat(i * i))

    const answers = texts.map((text, i) => near.call('note', i, text))
    expect(await far.call('double', 21)).toBe(42)
    expect(await Promise.all(answers)).toEqual(texts)
    expect(seen).toEqual(texts.map((_, i) => i))
  })

  it('go to what a call will return, before it has returned', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const server = capnpEsPeer(peer, {})
    const conn = new FrameConn(stream)
    const file = conn.bootstrap(Peer).file((params) => {
      params.name = 'pipelined'
    })
    expect((await file.getFile().name().promise()).name).toBe('pipelined')
    conn.shutdown()
    server.close()
  })

  it('go to what a call will return, many of them, some before it has returned and some behind', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const server = capnpEsPeer(peer, {})
    const conn = new FrameConn(stream)
    const file = conn.bootstrap(Peer).file((params) => {
      params.name = 'pipelined'
    })
    const names = Array.from({ length: 20 }, () => file.getFile().name().promise())
    for (const { name } of await Promise.all(names)) expect(name).toBe('pipelined')
    conn.shutdown()
    server.close()
  })

  it('that fail are told, and end nothing: neither a method that throws nor a missing main interface', async () => {
    const uncaught = unhandled()
    const { near } = ends({
      fail: () => {
        throw new Error('as it should')
      },
    })
    await expect(near.call('fail')).rejects.toThrow('as it should')
    const [stream, peer] = streamPair({ codec: capnp() })
    const [bare, asking] = [new FrameConn(peer), new FrameConn(stream)]
    await expect(asking.bootstrap(Peer).call().promise()).rejects.toThrow()
    bare.shutdown()
    asking.shutdown()
    await turns()

    expect(uncaught).toEqual([])
  })

  it('over the limit reject at the call; an answer over it is one that says so', async () => {
    const streams = streamPair({ codec: capnp(), maxPayload: 20_000 })
    const near = capnpEsPeer(streams[0], {})
    const far = capnpEsPeer(streams[1], { grow: (text: string) => text.repeat(100), echo: (text: string) => text })

    await expect(near.call('echo', 'x'.repeat(30_000))).rejects.toMatchObject({ name: 'FrameTooLargeError' })
    await expect(near.call('grow', 'x'.repeat(1000))).rejects.toThrow(/payload of \d+ bytes/)
    expect(await near.call('echo', 'short')).toBe('short')
    near.close()
    far.close()
  })

  it('go to a capability that comes again once the collector has taken all that stood for it', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const server = capnpEsPeer(peer, {})
    const conn = new FrameConn(stream)
    const asked = async () => {
      const main = conn.bootstrap(Peer)
      for (let i = 0; i < 2; i++) await main.file().promise() // the first goes out before the capability is there
    }
    await asked()
    await until(() => {
      globalThis.gc?.()
      return Object.values(conn.imports)[0]!.rc.refs === 0
    }, 'the collector')
    await asked()
    conn.shutdown()
    server.close()
  })

  it('are none lost that came before anybody asked', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const payloads = Array.from({ length: 300 }, (_, i) => message((each) => (each._initFinish().questionId = i)))
    for (const payload of payloads) peer.send(payload)
    await peer.end()
    const transport = new FrameTransport(stream)
    await turns()
    const ids: number[] = []
    for (;;) {
      const next = await transport.recvMessage().catch((error: unknown) => error)
      if (!(next instanceof Message)) {
        expect(next).toBeUndefined()
        break
      }
      ids.push(next.finish.questionId)
    }

    expect(ids).toEqual(payloads.map((_, i) => i))
  })
})

describe('the end', () => {
  it.each(['ended', 'destroyed', 'failing', 'shut down'] as const)(
    'rejects every question when the peer is %s',
    async (how) => {
      const uncaught = unhandled()
      const { near, far, streams } = ends({ hang: () => new Promise(() => {}) })
      const errors: unknown[] = []
      near.conn.onError = (error) => void errors.push(error)
      const pending = [near.call('hang'), near.call('hang')]
      const settled = Promise.allSettled(pending)
      await until(() => streams[1]!.stats.received.frames >= 3, 'the calls')
      if (how === 'shut down') far.close()
      else if (how === 'ended') await streams[1]!.end()
      else streams[1]!.destroy(how === 'failing' ? new Error('lost') : undefined)

      for (const { status, reason } of (await settled) as PromiseRejectedResult[]) {
        expect(status).toBe('rejected')
        expect(reason).toBeInstanceOf(Error)
      }
      await expect(near.call('hang')).rejects.toBeInstanceOf(Error)
      await until(() => streams[0]!.destroyed, 'the end of the stream')
      await turns()
      expect(uncaught).toEqual([])
    },
  )

  it('lets a method end that runs longer than the connection', async () => {
    const uncaught = unhandled()
    let go = () => {}
    const { near, far, streams } = ends({ wait: () => new Promise<void>((resolve) => (go = resolve)) })
    const call = near.call('wait')
    call.catch(() => {}) // which is another test's
    await until(() => streams[1]!.stats.received.frames >= 2)
    near.close()
    await until(() => streams[1]!.destroyed)
    go()
    await turns()
    far.close()
    expect(uncaught).toEqual([])
  })
})

describe('a hostile peer', () => {
  const call = message((each) => {
    const { target } = each._initCall()
    target.importedCap = 0
  })
  const messages: [string, Uint8Array][] = [
    ['words that are no message', Buffer.concat([Buffer.from([0, 0, 0, 0, 1, 0, 0, 0]), Buffer.alloc(8, 0xff)])],
    ['an empty message', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])],
    [
      'a pointer past the end',
      Buffer.concat([Buffer.from([0, 0, 0, 0, 1, 0, 0, 0]), Buffer.from([0xfc, 0xff, 0, 0, 1, 0, 1, 0])]),
    ],
    ['an answer to nothing', message((each) => (each._initReturn().answerId = 77))],
    ['the end of no answer', message((each) => (each._initFinish().questionId = 77))],
    ['a call twice with one id', Buffer.concat([call, call])],
  ]

  it.each(messages)('that sends %s is cut off, with a typed error', async (_title, bytes) => {
    const uncaught = unhandled()
    const [stream, peer] = streamPair({ codec: capnp() })
    const errors: unknown[] = []
    const conn = new FrameConn(stream)
    conn.onError = (error) => void errors.push(error)
    conn.initMain(Peer, { call: () => new Promise(() => {}), file: () => new Promise(() => {}) })
    const question = conn.bootstrap(Peer).call().promise()
    const rejected = expect(question).rejects.toMatchObject({ name: 'RpcError', origin: 'remote' })
    peer.on('frame', () => {})
    const first = Math.min(bytes.length, bytes.length === 2 * call.length ? call.length : bytes.length)
    peer.send(bytes.subarray(0, first))
    if (first < bytes.length) peer.send(bytes.subarray(first))

    await rejected
    expect(errors).toMatchObject([{ name: 'RpcError', origin: 'remote' }])
    expect(stream.destroyed).toBe(true)
    await turns()
    expect(uncaught).toEqual([])
  })

  it('that answers with more capabilities than can be is cut off, and the call rejects', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const pending = new FrameConn(stream).bootstrap(Peer).call().promise()
    peer.on('frame', () => {})
    peer.send(
      message((each) => {
        const answer = each._initReturn()
        answer.answerId = 1
        answer._initResults()._initCapTable(5000)
      }),
    )
    await expect(pending).rejects.toMatchObject({ name: 'RpcError', origin: 'remote' })
    expect(stream.destroyed).toBe(true)
  })

  it('that aborts, or does not implement a call, rejects what it concerns', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const conn = new FrameConn(stream)
    const main = conn.bootstrap(Peer)
    const unimplemented = main.call().promise()
    peer.on('frame', () => {})
    peer.send(message((each) => (each._initUnimplemented()._initCall().questionId = 1)))
    await expect(unimplemented).rejects.toMatchObject({ type: 'unimplemented' })
    const pending = main.call().promise()
    peer.send(message((each) => (each._initAbort().reason = 'enough')))
    await expect(pending).rejects.toThrow('enough')
  })

  it('has its descriptors closed that no capability takes, and those beyond a call’s end', async () => {
    const kept: Descriptor[] = []
    const { near, far, streams } = ends({
      keep: (files: Descriptor[]) => {
        kept.push(...files)
        return null
      },
    })
    streams[0]!.send(
      message((each) => (each._initRelease().id = 1)),
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
  it('travel with capabilities, in calls and in results, to be taken', async () => {
    const { near } = ends({ names: (files: Descriptor[]) => files.map(nameOf), echo: (value: unknown) => value })
    using one = named('one')
    using two = named('two')
    expect(await near.call('names', [one, two])).toEqual(['one', 'two'])
    const { deep } = (await near.call('echo', { deep: [two, one] })) as { deep: Descriptor[] }
    expect(deep.map(nameOf)).toEqual(['two', 'one'])
    for (const file of deep) file.close()
    expect([one.closed, two.closed]).toEqual([false, false])
  })

  it('attached to the main interface come with it', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    using file = named('main')
    const serving = new FrameConn(peer)
    serving.initMain(Peer, { call: () => Promise.resolve(), file: () => Promise.resolve() })
    attachDescriptor(serving.main!, file)
    const conn = new FrameConn(stream)
    const main = conn.bootstrap(Peer)
    const results = await main.call().promise()
    expect(results).toBeDefined()
    serving.shutdown()
    conn.shutdown()
  })

  it('that are closed, or too many, reject the call; in a result they are the answer', async () => {
    const { near } = ends({
      closed: () => {
        const file = named('closed')
        file.close()
        return file
      },
      echo: (value: unknown) => value,
    })
    const closed = named('closed')
    closed.close()
    using file = named('one')

    await expect(near.call('echo', closed)).rejects.toMatchObject({ code: 'ERR_PILLION_CLOSED' })
    await expect(near.call('echo', Array(254).fill(file))).rejects.toMatchObject({ name: 'TooManyDescriptorsError' })
    await expect(near.call('closed')).rejects.toThrow('closed')
    expect(await near.call('echo', 'still here')).toBe('still here')
  })

  it('are closed with the connection, unless they were taken', async () => {
    const { near, far } = ends({ echo: (value: unknown) => value })
    using file = named('one')
    const [left, taken] = (await near.call('echo', [file, file])) as [Descriptor, Descriptor]
    using mine = taken.dup()
    near.close()
    far.close()
    expect([left.closed, mine.closed]).toEqual([true, false])
  })

  it('of a plain connection are closed: it does not look at them', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const conn = new Conn(new FrameTransport(stream))
    conn.onError = () => {}
    conn.initMain(Peer, { call: () => Promise.resolve(), file: () => Promise.resolve() })
    const end = capnpEsPeer(peer, {})
    using file = named('one')
    await expect(end.call('any', file)).rejects.toBeDefined()
    end.close()
    conn.shutdown()
  })

  it('have nothing to say of a capability that has none', () => {
    expect(descriptorOf(new File.Server({ name: () => Promise.resolve() }))).toBeUndefined()
  })
})

describe('the kit', () => {
  const cases = callCases({
    streamOptions: { codec: capnp() },
    descriptors: 'carried',
    patience: 30_000, // eleven hundred calls take it seconds on a busy machine
    attach: (stream, service) => capnpEsPeer(stream, service),
  })
  for (const { name, run } of cases) it(name, run, 60_000)
})

describe('the transport', () => {
  it('gives each that asks a message of its own, in turn; at the end it tells all', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const transport = new FrameTransport(stream)
    const asked = Array.from({ length: 5 }, async () => (await transport.recvMessage()).finish.questionId)
    const outcomes = Promise.allSettled(asked)
    for (let id = 0; id < 3; id++) peer.send(message((each) => (each._initFinish().questionId = id)))
    await peer.end()

    const ended = { status: 'rejected', reason: undefined }
    expect(await outcomes).toEqual([...[0, 1, 2].map((value) => ({ status: 'fulfilled', value })), ended, ended])
  })
})

it('refuses a stream of another codec', () => {
  expect(() => new FrameTransport(streamPair()[0])).toThrow('for the codec capnp(), not for pillion')
})

describe('a peer that does not read', () => {
  it('makes calls fail once maxQueued bytes wait for it', async () => {
    const [stream] = streamPair({ codec: capnp() })
    const conn = new FrameConn(stream, { maxQueued: 1_000_000 })
    const main = conn.bootstrap(Peer)
    const call = () =>
      main
        .call((params) => {
          params.value = 'x'.repeat(100_000)
        })
        .promise()
    const calls = Array.from({ length: 30 }, call)
    const outcomes = Promise.allSettled(calls)
    await expect(calls.at(-1)).rejects.toMatchObject({ type: 'overloaded' })
    expect(stream.queuedBytes).toBeLessThan(1_300_000)
    stream.destroy()
    const errors = (await outcomes).map((outcome) => outcome.status === 'rejected' && outcome.reason)
    expect(errors).toEqual(calls.map(() => expect.any(Error)))
  })

  it('is left once maxQueued bytes of answers wait for it', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const errors: Error[] = []
    const serving = new FrameConn(stream, { maxQueued: 1_000_000 })
    serving.onError = (error) => void errors.push(error as Error)
    serving.initMain(Peer, {
      async call(_params, results) {
        results.value = 'x'.repeat(100_000)
      },
      async file() {},
    })
    const asking = new FrameConn(peer).bootstrap(Peer)
    await asking.call(() => {}).promise()
    peer.pause()
    const calls = Array.from({ length: 60 }, () => asking.call(() => {}).promise())
    const outcomes = Promise.allSettled(calls)
    await until(() => stream.destroyed)
    expect(errors[0]).toMatchObject({ type: 'overloaded' })
    peer.resume()
    expect((await outcomes).some(({ status }) => status === 'rejected')).toBe(true)
  })
})
