/** Calls by Cap'n Proto RPC and what answers them: every one settles, whatever kind of Return comes, or none. */
import { Message } from 'capnp-es/capnp/rpc'
import { describe, expect, it } from 'vitest'
import { capnp } from '../../src/framing/index.js'
import { named, streamPair, turns, until } from '../support/streams.js'
import { capnpEsPeer } from './support/capnp-es-peer.js'
import { message, rootOf } from './support/capnp-recorded-calls.js'
import { capnpTsPeer } from './support/capnp-ts-peer.js'
import { unhandled } from './support/unhandled.js'

describe.each([
  ['capnp-es', capnpEsPeer],
  ['capnp-ts', capnpTsPeer],
])('a call by %s', (_library, peerOn) => {
  /** Two calls have been sent, and the bootstrap ahead of them is answered by nobody. */
  async function asking() {
    const [stream, peer] = streamPair({ codec: capnp() })
    const questions: number[] = []
    const finished: number[] = []
    peer.on('frame', ({ payload }) => {
      const root = rootOf(payload)
      if (root.which() === Message.CALL) questions.push(root.call.questionId)
      else if (root.which() === Message.FINISH) finished.push(root.finish.questionId)
    })
    const errors: Error[] = []
    const end = peerOn(stream, {}, { onError: (error) => errors.push(error) })
    const outcomes = ['first', 'second'].map((name) => {
      const outcome = { reason: undefined as unknown }
      end.call(name).catch((reason: unknown) => (outcome.reason = reason))
      return outcome
    })
    await until(() => questions.length === 2, 'the calls')
    return { peer, stream, errors, questions, finished, outcomes, end }
  }

  /** Of that discriminant, and with that pointer. The Return lies behind the message's root, by whose pointer it has its size. */
  function returned(question: number, kind: number, low = 0, high = 0): Uint8Array {
    const bytes = message((each) => (each._initReturn().answerId = question))
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    view.setUint16(32 + 6, kind, true)
    const pointer = 32 + 8 * view.getUint16(24 + 4, true)
    view.setUint32(pointer, low, true)
    view.setUint32(pointer + 4, high, true)
    return bytes
  }

  it('that the peer says was canceled rejects, and is finished; no other does', async () => {
    const { peer, stream, errors, questions, finished, outcomes } = await asking()
    peer.send(returned(questions[0]!, 2))
    await until(() => finished.length === 1, 'the finish')
    expect(outcomes[0]!.reason).toMatchObject({ name: 'RpcError', origin: 'remote', type: 'failed' })
    expect([finished, errors, outcomes[1]!.reason, stream.destroyed]).toEqual([[questions[0]], [], undefined, false])
  })

  it.each([3, 4, 5, 6, 10, 65_535])(
    'answered by the kind %d, which nobody asked for, rejects, as all do',
    async (kind) => {
      const uncaught = unhandled()
      const { peer, stream, errors, questions, outcomes } = await asking()
      peer.send(returned(questions[0]!, kind))
      await until(() => stream.destroyed, 'the end')
      await turns()
      expect(errors).toMatchObject([
        { name: 'RpcError', origin: 'remote', message: expect.stringContaining(`${kind}`) },
      ])
      expect(outcomes.map(({ reason }) => reason)).toEqual([errors[0], errors[0]])
      expect(uncaught).toEqual([])
    },
  )

  it.each([
    ['an exception that is a list', 1, 1, 1 << 3],
    ['an exception in a segment that is not there', 1, 2, 7],
    ['results that are a list', 0, 1, 1 << 3],
    ['results in a segment that is not there', 0, 2, 7],
  ])('answered by %s rejects, as all do', async (_what, kind, low, high) => {
    const uncaught = unhandled()
    const { peer, stream, errors, questions, outcomes } = await asking()
    peer.send(returned(questions[0]!, kind, low, high))
    await until(() => stream.destroyed, 'the end')
    await turns()
    expect(errors).toMatchObject([{ name: 'RpcError', origin: 'remote' }])
    for (const { reason } of outcomes) expect(reason).toMatchObject({ name: 'RpcError', origin: 'remote' })
    expect(uncaught).toEqual([])
  })

  it('answered by a Return that cannot be read keeps nothing of what came with that', async () => {
    const { peer, stream, questions } = await asking()
    const bytes = returned(questions[0]!, 0)
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(24, 2, true) // a far pointer
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(28, 7, true) // to a segment that is not there
    peer.send(bytes, [named('left')], { transfer: true })
    await until(() => stream.destroyed, 'the end') // and the harness counts what is open
  })

  it('whose params fail throws; it is no question, so that the end rejects nobody', async () => {
    const uncaught = unhandled()
    const { peer, stream, end, questions, outcomes } = await asking()
    await expect(end.call('third', { toJSON: () => expect.unreachable() })).rejects.toThrow()
    peer.destroy()
    await until(() => stream.destroyed, 'the end')
    await turns()
    expect(questions.length).toBe(2)
    for (const { reason } of outcomes) expect(reason).toBeInstanceOf(Error)
    expect(uncaught).toEqual([])
  })
})
