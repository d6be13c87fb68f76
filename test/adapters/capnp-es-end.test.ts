/** What becomes of messages that came in one wake-up with whatever ended a connection of capnp-es. */
import { Message as Whole } from 'capnp-es'
import { Message } from 'capnp-es/capnp/rpc'
import { expect, it } from 'vitest'
import { FrameConn } from '../../src/adapters/capnp-es/index.js'
import { capnp } from '../../src/framing/index.js'
import { named, streamPair, until } from '../support/streams.js'
import { Peer } from './fixtures/generated/capnp-es/peer.js'

/** A connection that has sent calls, whose questions are 1 and following, to a peer that answers none of itself. */
function asking(count: number) {
  const [stream, peer] = streamPair({ codec: capnp() })
  peer.on('frame', () => {})
  const conn = new FrameConn(stream)
  const errors: unknown[] = []
  conn.onError = (error) => void errors.push(error)
  const main = conn.bootstrap(Peer)
  return { stream, peer, conn, errors, calls: Array.from({ length: count }, () => main.call().promise()) }
}

function message(fill: (message: Message) => void): Uint8Array {
  const whole = new Whole()
  fill(whole.initRoot(Message))
  return new Uint8Array(whole.toArrayBuffer())
}

function answer(id: number): Uint8Array {
  return message((each) => {
    const answered = each._initReturn()
    answered.answerId = id
    answered._initException().reason = `answer ${id}`
  })
}

/** Of the main interface, with a capability in the params to which the message's first descriptor is attached. */
function callWithDescriptor(id: number): Uint8Array {
  return message((each) => {
    const call = each._initCall()
    call.questionId = id
    call.interfaceId = Peer.Client.interfaceId
    call._initTarget().importedCap = 0
    const capability = call._initParams()._initCapTable(1).get(0)
    capability.senderHosted = 0
    capability.attachedFd = 0
  })
}

it('shut down at the first of many answers that came together, it ends cleanly: the others are not looked at', async () => {
  const { stream, peer, conn, errors, calls } = asking(12)
  let ended = false
  peer.on('end', () => (ended = true))
  const first = calls[0]?.catch(() => conn.shutdown())
  const outcomes = Promise.allSettled(calls)
  for (let i = 0; i < calls.length; i++) peer.send(answer(1 + i))

  await first
  expect((await outcomes).at(-1)).toMatchObject({ reason: { code: 'ERR_PILLION_CLOSED' } })
  await until(() => ended, 'the end of what was sent')
  await peer.end()
  await stream.closed
  expect(errors).toEqual([])
})

it('shut down at an answer, it calls no method and keeps no descriptor of the calls that came with it', async () => {
  const { stream, peer, conn, errors, calls } = asking(1)
  let isShutDown = false
  let calledBehind = 0
  const method = () => {
    if (isShutDown) calledBehind++
    return new Promise<void>(() => {})
  }
  conn.initMain(Peer, { call: method, file: method })
  const first = calls[0]?.catch(() => {
    isShutDown = true
    conn.shutdown()
  })
  peer.send(answer(1))
  for (let id = 0; id < 12; id++) peer.send(callWithDescriptor(id), [named(id)], { transfer: true })

  await first
  await peer.end()
  await stream.closed
  expect([calledBehind, errors]).toEqual([0, []])
})

it.each([3, 20])('tells %d answers ahead of garbage, then the error; none behind it', async (ahead) => {
  const { stream, peer, errors, calls } = asking(ahead + 2)
  const outcomes = Promise.allSettled(calls)
  for (let id = 1; id <= ahead; id++) peer.send(answer(id))
  peer.send(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])) // a message without a root
  peer.send(answer(ahead + 1))

  const told = (await outcomes).map((outcome) => outcome.status === 'rejected' && String(outcome.reason))
  expect(told.slice(0, ahead)).toEqual(
    Array.from({ length: ahead }, (_, i) => expect.stringContaining(`answer ${i + 1}`)),
  )
  expect(told.slice(ahead)).toEqual(Array(2).fill(expect.stringContaining('no message of Cap’n Proto’s RPC')))
  expect(errors).toMatchObject([{ name: 'RpcError', origin: 'remote' }])
  expect(stream.destroyed).toBe(true)
})

it('closes what came with calls ahead of garbage', async () => {
  const { stream, peer, conn, errors } = asking(0)
  let called = 0
  const method = () => {
    called++
    return new Promise<void>(() => {})
  }
  conn.initMain(Peer, { call: method, file: method })
  for (let id = 0; id < 12; id++) peer.send(callWithDescriptor(id), [named(id)], { transfer: true })
  peer.send(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0]))

  await until(() => errors.length > 0, 'the error')
  expect(called).toBe(12)
  expect(stream.destroyed).toBe(true)
})
