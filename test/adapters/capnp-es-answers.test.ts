/**
 * Answers of capnp-es with what a third peer has sent, which cannot be read: what is told to whoever called, and what becomes
 * of the call's descriptors.
 */
import { Deferred } from 'capnp-es'
import { Message } from 'capnp-es/capnp/rpc'
import { describe, expect, it, onTestFinished } from 'vitest'
import { attachDescriptor, descriptorOf, FrameConn } from '../../src/adapters/capnp-es/index.js'
import { capnp } from '../../src/framing/index.js'
import type { Descriptor, FrameStream } from '../../src/stream/index.js'
import { named, nameOf, streamPair, turns } from '../support/streams.js'
import { File, type File$Client, Peer } from './fixtures/generated/capnp-es/peer.js'
import { message, rootOf } from './support/capnp-recorded-calls.js'
import { unhandled } from './support/unhandled.js'

type Methods = ConstructorParameters<typeof Peer.Server>[0]

function connOn(stream: FrameStream): FrameConn {
  const conn = new FrameConn(stream)
  onTestFinished(() => conn.shutdown())
  return conn
}

describe.each([
  ['in a segment that is not there', 2, 7],
  ['behind its end', 4000 << 2, 1 << 16],
])('results whose message has them %s', (_where, low, high) => {
  /** Sends such results for each call on that interface, and answers no other. */
  function thirdPeer(interfaceId: bigint) {
    const [stream, peer] = streamPair({ codec: capnp() })
    peer.on('frame', ({ payload }) => {
      const root = rootOf(payload)
      if (root.which() !== Message.CALL || root.call.interfaceId !== interfaceId) return
      const answer = message((each) => {
        const returned = each._initReturn()
        returned.answerId = root.call.questionId
        const { segment, byteOffset } = returned._initResults().content
        segment.setUint32(byteOffset, low)
        segment.setUint32(byteOffset + 4, high)
      })
      peer.send(answer)
    })
    return connOn(stream).bootstrap(Peer)
  }

  function served(methods: Partial<Methods>) {
    const [stream, peer] = streamPair({ codec: capnp() })
    connOn(peer).initMain(Peer, { call: async () => {}, file: async () => {}, ...methods })
    return connOn(stream).bootstrap(Peer)
  }

  /** Calls with a descriptor, and sees that it is closed where the call was answered. */
  async function callWithFile(main: ReturnType<typeof served>, seen: Descriptor[]) {
    using file = named('held')
    const server = new File.Server({ name: async () => {} })
    attachDescriptor(server, file)
    const call = main.call((params) => {
      params._initFiles(1).get(0).file = server.client()
    })
    const results = await call.promise()
    expect(seen.map(({ closed }) => closed)).toEqual([true])
    return results
  }

  it('are a capability, in an answer that comes all the same, on which calls fail', async () => {
    const uncaught = unhandled()
    const third = thirdPeer(Peer.Client.interfaceId)
    const seen: Descriptor[] = []
    const main = served({
      async call(params, results) {
        seen.push(descriptorOf(params.files.get(0).file as File$Client)!)
        expect(nameOf(seen[0]!)).toBe('held')
        const opened = third.file()
        await opened.promise()
        results.value = 'the rest'
        results._initFiles(1).get(0).file = opened.getFile()
      },
    })
    const results = await callWithFile(main, seen)
    expect(results.value).toBe('the rest')
    await expect((results.files.get(0).file as File$Client).name().promise()).rejects.toThrow('out of bounds')
    expect(uncaught).toEqual([])
  })

  it('are a capability, in a call that goes out all the same, on which calls fail', async () => {
    const opened = thirdPeer(Peer.Client.interfaceId).file()
    await opened.promise()
    const main = served({
      async call(params, results) {
        const outcome = (params.files.get(0).file as File$Client).name().promise()
        results.value = await outcome.then(
          () => 'none',
          (error: Error) => error.message,
        )
      },
    })
    const call = main.call((params) => {
      params._initFiles(1).get(0).file = opened.getFile()
    })
    expect((await call.promise()).value).toContain('out of bounds')
  })

  it('are an error where a call is handed on to that peer, and of calls for what they would have held', async () => {
    const uncaught = unhandled()
    const [stream, peer] = streamPair({ codec: capnp() })
    connOn(peer).main = thirdPeer(Peer.Client.interfaceId).client as NonNullable<FrameConn['main']>
    const opened = connOn(stream).bootstrap(Peer).file()
    const names = [opened.getFile().name().promise(), opened.getFile().name().promise()]
    for (const told of [opened.promise(), ...names]) await expect(told).rejects.toThrow('out of bounds')
    expect(uncaught).toEqual([])
  })
})

describe('a call that waits for an answer', () => {
  it('with params that cannot be read, for a capability of another peer’s, fails alone', async () => {
    const uncaught = unhandled()
    const [stream, third] = streamPair({ codec: capnp() })
    connOn(third).initMain(Peer, {
      async call(params, results) {
        results.value = params.value
      },
      file: async () => {},
    })
    const far = connOn(stream).bootstrap(Peer)
    const opening = new Deferred<void>()
    const [left, right] = streamPair({ codec: capnp() })
    connOn(right).initMain(Peer, {
      call: async () => {},
      async file(_params, results) {
        await opening.promise
        results.file = far as unknown as File$Client
      },
    })
    const peer = new Peer.Client(connOn(left).bootstrap(Peer).file().getFile().client)
    const broken = peer.file((params) => {
      params.segment.setUint32(params.byteOffset, 2) // a far pointer
      params.segment.setUint32(params.byteOffset + 4, 7) // to a segment that is not there
    })
    const outcomes = Promise.allSettled([broken.promise(), peer.call((params) => (params.value = 'fine')).promise()])
    await turns(5)
    opening.resolve(undefined)
    expect(await outcomes).toMatchObject([
      { reason: { message: expect.stringContaining('out of bounds') } },
      { value: { value: 'fine' } },
    ])
    expect(uncaught).toEqual([])
  })

  it('for a capability that another peer says is there, and is not, fails', async () => {
    const uncaught = unhandled()
    const [toThird, third] = streamPair({ codec: capnp() })
    third.on('frame', ({ payload }) => {
      const root = rootOf(payload)
      if (root.which() !== Message.CALL || root.call.interfaceId !== Peer.Client.interfaceId) return
      const answer = message((each) => {
        const returned = each._initReturn()
        returned.answerId = root.call.questionId
        const { segment, byteOffset } = returned._initResults().content
        const file = segment.allocate(8).byteOffset
        segment.setUint32(byteOffset, ((file - byteOffset - 8) / 8) << 2) // a struct
        segment.setUint32(byteOffset + 4, 1 << 16) // of one pointer
        segment.setUint32(file, 3) // to a capability
        segment.setUint32(file + 4, 5) // the sixth of none
      })
      third.send(answer)
    })
    const [stream, peer] = streamPair({ codec: capnp() })
    connOn(peer).main = connOn(toThird).bootstrap(Peer).client as NonNullable<FrameConn['main']>
    const file = connOn(stream).bootstrap(Peer).file().getFile()
    const outcomes = await Promise.allSettled([file.name().promise(), file.name().promise()])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(uncaught).toEqual([])
  })
})
