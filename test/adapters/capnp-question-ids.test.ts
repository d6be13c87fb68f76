/** Ids of calls that came by Cap'n Proto RPC: which of them a peer may use again, and what becomes of descriptors if it does. */
import { Message } from 'capnp-es/capnp/rpc'
import { describe, expect, it } from 'vitest'
import { FrameConn } from '../../src/adapters/capnp-es/index.js'
import { capnp } from '../../src/framing/index.js'
import { adopt, type Descriptor } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { destroyedAfterTest, named, nameOf, streamPair, turns, until } from '../support/streams.js'
import { Peer } from './fixtures/generated/capnp-es/peer.js'
import { capnpEsPeer } from './support/capnp-es-peer.js'
import { changed, message, recordedCalls, rootOf } from './support/capnp-recorded-calls.js'
import { capnpTsPeer } from './support/capnp-ts-peer.js'

describe.each([
  ['capnp-es', capnpEsPeer],
  ['capnp-ts', capnpTsPeer],
])('ids of calls to %s', (_library, peerOn) => {
  function finish(question: number | undefined): Uint8Array {
    return message((each) => (each._initFinish().questionId = question!))
  }

  it.each([
    ['a call of the id of one that runs', 'call', 1, false],
    ['a call of the id of one that runs and was finished', 'call', 1, true],
    ['a call with a descriptor, of the id of one without', 'call', 0, false],
    ['a call with a descriptor, of the id of one without that was finished', 'call', 0, true],
    ['a bootstrap of the id of one that runs', 'bootstrap', 1, false],
    ['a bootstrap of the id of one that runs and was finished', 'bootstrap', 1, true],
  ])('end the connection by %s', async (_what, kind, which, isFinished) => {
    const { peer, stream, errors, answers, running, bearing, ids } = await recordedCalls(peerOn)
    const question = ids[which]!
    if (isFinished) peer.send(finish(question))
    if (kind === 'bootstrap') peer.send(message((each) => (each._initBootstrap().questionId = question)))
    else
      peer.send(
        changed(bearing, (call) => (call.questionId = question)),
        [named('second')],
        { transfer: true },
      )
    await turns(20)
    running[which]?.answer()
    await turns(20)

    expect(errors).toMatchObject([
      { name: 'RpcError', origin: 'remote', message: expect.stringContaining('has the id of') },
    ])
    await expect(stream.closed).rejects.toBe(errors[0])
    expect([answers.length, running.length]).toEqual([0, 2])
  })

  it.each([
    ['ahead of', true],
    ['behind', false],
  ])('may be used again once a call is answered and finished, here %s the answer', async (_where, isAhead) => {
    const { peer, answers, running, bearing, ids } = await recordedCalls(peerOn)
    for (let i = 1; i <= 3; i++) {
      if (isAhead) peer.send(finish(ids[1]))
      await turns()
      const { file, answer } = running.at(-1)!
      expect(nameOf(file)).toBe('held')
      answer()
      await until(() => answers.length === i && file.closed, 'the answer')
      if (!isAhead) peer.send(finish(ids[1]))
      peer.send(bearing, [named('held')], { transfer: true })
      await until(() => running.length === 2 + i, 'the next call')
    }
  })

  it('may be used again behind a call of a method that is not there, whose descriptors are closed', async () => {
    const { peer, answers, running, bearing, ids } = await recordedCalls(peerOn)
    const [ours, theirs] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
    const other = destroyedAfterTest(adopt(ours))
    const absent = changed(bearing, (call) => {
      call.questionId = 77
      call.methodId = 99
      call.params.capTable.get(0).senderHosted = 500 // a capability of its own, or else what comes with it counts as known
    })
    peer.send(absent, [theirs], { transfer: true })
    for await (const _ of other) expect.unreachable()
    await until(() => answers.length === 1, 'the answer')
    peer.send(finish(77))
    const present = changed(absent, (call) => {
      call.methodId = rootOf(bearing).call.methodId
      call.params.capTable.get(0).senderHosted = 501
    })
    peer.send(present, [named('again')], { transfer: true })
    await until(() => running.length === 3, 'the next call')
    expect([ids.includes(77), nameOf(running[2]!.file)]).toEqual([false, 'again'])
  })

  it('sent by it are finished where the peer sends the call back, which may hold the id for used until then', async () => {
    const [stream, peer] = streamPair({ codec: capnp() })
    const asked: number[] = []
    const finished: unknown[] = []
    peer.on('frame', ({ payload }) => {
      const root = rootOf(payload)
      if (root.which() === Message.FINISH) finished.push([root.finish.questionId, root.finish.releaseResultCaps])
      if (root.which() !== Message.CALL) return
      asked.push(root.call.questionId)
      peer.send(message((each) => (each.unimplemented = root)))
    })
    const near = peerOn(stream, {})
    for (let i = 0; i < 2; i++) await expect(near.call('absent')).rejects.toMatchObject({ type: 'unimplemented' })
    await until(() => finished.length >= 2, 'the ends')
    await turns()
    expect(finished).toEqual(asked.map((id) => [id, false])) // there are no results, and some libraries look for them
    near.close()
  })
})

it('of a call that the peer does not implement is free for the next one', async () => {
  const [stream, peer] = streamPair({ codec: capnp() })
  new FrameConn(peer).initMain(Peer, { call: async () => {}, file: async () => {} })
  const main = new FrameConn(stream).bootstrap(Peer)
  await main.call().promise()
  const method = { ...Peer.Client.methods[0], methodId: 99 }
  for (let i = 0; i < 3; i++) {
    const absent = main.client.call({ method, paramsFunc: () => {} }).struct()
    await expect(absent).rejects.toMatchObject({ type: 'unimplemented' })
  }
  await main.call().promise()
})
