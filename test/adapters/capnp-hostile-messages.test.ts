/** Messages of Cap'n Proto RPC that say they hold more than can be: the connection ends, and no method sees them. */
import type { Message, MessageTarget, PromisedAnswer } from 'capnp-es/capnp/rpc'
import { describe, expect, it } from 'vitest'
import { turns, until } from '../support/streams.js'
import { Peer } from './fixtures/generated/capnp-es/peer.js'
import { capnpEsPeer } from './support/capnp-es-peer.js'
import { message, recordedCalls } from './support/capnp-recorded-calls.js'
import { capnpTsPeer } from './support/capnp-ts-peer.js'

/** A call of the main interface, but for what is filled in. */
function call(questionId: number, fill: (call: Message['call']) => void): Uint8Array {
  return message((each) => {
    const call = each._initCall()
    call.questionId = questionId
    call.interfaceId = Peer.Client.interfaceId
    call._initTarget().importedCap = 0
    fill(call)
  })
}

function steps(answer: PromisedAnswer, question: number, count: number): void {
  answer.questionId = question
  for (const step of answer._initTransform(count)) step.getPointerField = 0
}

describe.each([
  ['capnp-es', capnpEsPeer],
  ['capnp-ts', capnpTsPeer],
])('a path into an answer, to %s', (_library, peerOn) => {
  const target = (to: MessageTarget, question: number, count: number) =>
    steps(to._initPromisedAnswer(), question, count)

  const places = {
    'of a call': (question: number, count: number) =>
      call(count, (each) => target(each._initTarget(), question, count)),
    'of a capability in params': (question: number, count: number) =>
      call(count, (each) => steps(each._initParams()._initCapTable(1).get(0)._initReceiverAnswer(), question, count)),
  }

  it.each(Object.keys(places) as (keyof typeof places)[])('%s has at most 64 steps', async (place) => {
    const { peer, stream, errors, ids } = await recordedCalls(peerOn)
    peer.send(places[place](ids[0]!, 64))
    await turns(20)
    expect([errors, stream.destroyed]).toEqual([[], false])

    peer.send(places[place](ids[0]!, 65))
    await until(() => stream.destroyed, 'the end')
    expect(errors).toMatchObject([{ name: 'RpcError', origin: 'remote', message: expect.stringContaining('65 times') }])
  })
})
