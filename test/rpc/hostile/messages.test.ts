/**
 * Messages that break the protocol end their session with an Abort that says why, and nothing else.
 */
import { describe, expect, it } from 'vitest'
import { RpcTarget } from '../../../src/rpc/index.js'
import { noPath } from '../../../src/rpc/machine/messages.js'
import { capOf, content, importedCap, promisedAnswer, type RawPeer, rawPeer } from '../../support/raw-peer.js'

class Main extends RpcTarget {
  kept: unknown
  readonly pending: ((value: unknown) => void)[] = []

  echo(value: unknown): unknown {
    return value
  }

  wait(): Promise<unknown> {
    return new Promise((resolve) => this.pending.push(resolve))
  }

  callBack(callback: (value: unknown) => unknown): unknown {
    return callback(1)
  }

  keep(stub: { dup(): unknown }): void {
    this.kept = stub.dup()
  }

  fresh(): RpcTarget {
    return new Main()
  }
}

const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex')

const detail = new Uint8Array(0)
const refusals: readonly (readonly [string, (peer: RawPeer) => unknown, RegExp])[] = [
  ['an empty frame', (peer) => peer.sendBytes(new Uint8Array(0)), /cut short/],
  ['a call that is cut short', (peer) => peer.sendBytes(hex('02 05')), /cut short/],
  ['a bootstrap with bytes behind it', (peer) => peer.sendBytes(hex('08 05 00')), /bytes follow it/],
  ['call flags that are none', (peer) => peer.sendBytes(hex('02 05 80 00 00 00 00')), /call flags 128/],
  ['a mode that is none', (peer) => peer.sendBytes(hex('02 05 03 00 00 00 00')), /call flags 3/],
  ['a target that is none', (peer) => peer.sendBytes(hex('02 05 00 02 00 00 00')), /2 for yes or no/],
  ['an id over 32 bits', (peer) => peer.sendBytes(hex('08 ff ff ff ff 7f')), /a number over/],
  ['an id without end', (peer) => peer.sendBytes(hex('08 ff ff ff ff ff ff ff ff ff ff ff')), /a number over/],
  ['an id that is longer than it need be', (peer) => peer.sendBytes(hex('08 80 00')), /longer than it need be/],
  ['a path without end', (peer) => peer.sendBytes(hex('02 05 00 00 00 ff ff 03')), /a number over 256/],
  ['a name that is longer than the message', (peer) => peer.sendBytes(hex('02 05 00 00 00 01 00 ff 61')), /cut short/],
  ['a capability that is none', (peer) => peer.sendBytes(hex('02 05 00 00 00 00 01 09')), /a capability of kind 9/],
  [
    'more capabilities than there can be',
    (peer) => peer.sendBytes(hex('02 05 00 00 00 00 81 80 04')),
    /a number over 65536/,
  ],
  ['an outcome that is none', (peer) => peer.sendBytes(hex('03 00 07')), /an outcome that is none/],
  ['return flags that are none', (peer) => peer.sendBytes(hex('03 00 e0')), /return flags 224/],
  ['a call of an export that is none', (peer) => peer.call({ target: importedCap(7) }), /there is no export 7/],
  [
    'a call of a question that is none',
    (peer) => peer.call({ target: promisedAnswer(7) }),
    /there is no open question 7/,
  ],
  [
    'a call of itself',
    (peer) => peer.call({ questionId: 9, target: promisedAnswer(9) }),
    /there is no open question 9/,
  ],
  [
    'a call with a question in use',
    (peer) => twice(() => peer.call({ questionId: 5, method: ['wait'] })),
    /question 5 is open already/,
  ],
  [
    'a bootstrap with a question in use',
    (peer) => twice(() => peer.send({ type: 'bootstrap', questionId: 5 })),
    /question 5 is open already/,
  ],
  [
    'a capability of ours that is none',
    (peer) => peer.call({ capTable: [capOf('senderHosted', 1), capOf('receiverHosted', 7)] }),
    /there is no export 7/,
  ],
  [
    'a capability in an answer that is none',
    (peer) => peer.call({ capTable: [capOf('receiverAnswer', 7)] }),
    /there is no open question 7/,
  ],
  [
    'a return of a question that is none',
    (peer) =>
      peer.send({
        type: 'return',
        answerId: 7,
        releaseParamCaps: false,
        noFinishNeeded: false,
        outcome: { kind: 'canceled' },
      }),
    /question 7 is not open/,
  ],
  ['a release of an export that is none', (peer) => peer.release(7), /export 7 was released more often/],
  ['a release of more than was named', (peer) => peer.release(0, 2), /export 0 was released more often/],
  ['a release of all there could ever be', (peer) => peer.release(0, 0xffff_ffff), /export 0 was released more often/],
  [
    'a reflected disembargo for nothing',
    (peer) => peer.send({ type: 'disembargo', context: 'receiverLoopback', embargoId: 3, target: importedCap(0) }),
    /there is no embargo 3/,
  ],
  [
    'a disembargo of what is not the sender’s',
    (peer) => peer.send({ type: 'disembargo', context: 'senderLoopback', embargoId: 3, target: importedCap(0) }),
    /does not lead back/,
  ],
  [
    'a disembargo of an export that is none',
    (peer) => peer.send({ type: 'disembargo', context: 'senderLoopback', embargoId: 3, target: importedCap(9) }),
    /there is no export 9/,
  ],
  [
    'a disembargo of a question that is none',
    (peer) => peer.send({ type: 'disembargo', context: 'senderLoopback', embargoId: 3, target: promisedAnswer(9) }),
    /there is no open question 9/,
  ],
  [
    'a resolve to an export that is none',
    (peer) =>
      peer.send({ type: 'resolve', promiseId: 3, resolution: { kind: 'cap', cap: capOf('receiverHosted', 9) } }),
    /there is no export 9/,
  ],
  [
    'an unimplemented that is empty',
    (peer) => peer.send({ type: 'unimplemented', message: new Uint8Array(0) }),
    /cut short/,
  ],
  [
    'an unimplemented unimplemented',
    (peer) => peer.send({ type: 'unimplemented', message: hex('00 00 00') }),
    /knows no message 'unimplemented'/,
  ],
  [
    'an unimplemented of what nobody knows',
    (peer) => peer.send({ type: 'unimplemented', message: hex('7f') }),
    /knows no message 'unknown'/,
  ],
  [
    'an unimplemented finish',
    (peer) => peer.send({ type: 'unimplemented', message: hex('04 00 00') }),
    /knows no message 'finish'/,
  ],
]

function twice(send: () => void): void {
  send()
  send()
}

describe('a message that breaks the protocol', () => {
  it.each(refusals)('ends the session: %s', async (_name, send, reason) => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    send(peer)
    expect(await peer.aborted()).toMatch(reason)
  })

  it.each(refusals)('fails what is under way, and releases what was passed: %s', async (_name, send, reason) => {
    const main = new Main()
    const peer = rawPeer(main)
    await peer.bootstrap()
    peer.call({ method: ['keep'], args: [{ '\0': [11, 0] }], capTable: [capOf('senderHosted', 4)] })
    peer.call({ method: ['wait'] })
    peer.call({ method: ['callBack'], args: [{ '\0': [11, 0] }], capTable: [capOf('senderHosted', 5)] })
    await peer.next((message) => message.type === 'call')
    send(peer)
    expect(await peer.aborted()).toMatch(reason)
    await expect((main.kept as () => Promise<unknown>)()).rejects.toMatchObject({ type: 'disconnected' })
    ;(main.kept as Disposable)[Symbol.dispose]()
  })

  it('may be an abort, whose reason is passed on', async () => {
    const peer = rawPeer(new Main())
    peer.send({ type: 'abort', exception: { type: 'overloaded', reason: 'enough', detail } })
    await expect(peer.session.closed).rejects.toMatchObject({ type: 'overloaded', message: 'enough', origin: 'remote' })
  })

  it('may be an abort with garbage in it', async () => {
    for (const garbage of [content({ '\0': [9] }), hex('c1'), content({ '\0': [11, 0] }), hex('dd ff ff ff ff')]) {
      const peer = rawPeer(new Main())
      peer.send({ type: 'abort', exception: { type: 'failed', reason: 'x'.repeat(1e6), detail: garbage } })
      await expect(peer.session.closed).rejects.toMatchObject({
        type: 'failed',
        cause: { message: /a value that cannot be/ },
      })
    }
  })
})

describe('a message that comes too late or too early', () => {
  it('is passed over, if it is a finish of what is finished', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    peer.finish(0)
    peer.finish(77)
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1] }))).toBe(1)
  })

  it('is passed over, if it resolves a promise that nobody holds', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    peer.send({ type: 'resolve', promiseId: 3, resolution: { kind: 'cap', cap: capOf('senderHosted', 5) } })
    peer.send({
      type: 'resolve',
      promiseId: 3,
      resolution: { kind: 'exception', exception: { type: 'failed', reason: '', detail } },
    })
    expect(await peer.next((message) => message.type === 'release')).toMatchObject({ id: 5, referenceCount: 1 })
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1] }))).toBe(1)
  })

  it('is echoed, if it is of a kind that nobody knows', async () => {
    const peer = rawPeer(new Main())
    peer.sendBytes(hex('63 01 02'))
    expect(await peer.next((message) => message.type === 'unimplemented')).toEqual({
      type: 'unimplemented',
      message: Uint8Array.from(hex('63 01 02')),
    })
  })

  it('is echoed once between two sessions, never back and forth', async () => {
    const peer = rawPeer(new Main())
    peer.sendBytes(hex('63'))
    const { message } = await peer.next((message) => message.type === 'unimplemented')
    peer.send({ type: 'unimplemented', message }) // as a session would that took it for something new
    expect(await peer.aborted()).toMatch("knows no message 'unknown'")
    expect(peer.received.filter(({ type }) => type === 'unimplemented')).toHaveLength(1)
  })

  it('ends the session, if it returns a question twice', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    peer.call({ method: ['callBack'], args: [{ '\0': [11, 0] }], capTable: [capOf('senderHosted', 5)] })
    const { questionId } = await peer.next((message) => message.type === 'call')
    const results = { kind: 'results', payload: { content: content(1), capTable: [] } } as const
    for (let i = 0; i < 2; i++) {
      peer.send({
        type: 'return',
        answerId: questionId,
        releaseParamCaps: false,
        noFinishNeeded: false,
        outcome: results,
      })
    }
    expect(await peer.aborted()).toMatch(`question ${questionId} is not open`)
  })

  it('ends the session, if it releases what a finish has released', async () => {
    const peer = rawPeer(new Main())
    await peer.bootstrap()
    const question = peer.call({ method: ['fresh'] })
    const { outcome } = await peer.returned(question)
    const id = outcome.kind === 'results' ? (outcome.payload.capTable[0]?.id as number) : -1
    peer.release(id)
    peer.finish(question, true)
    expect(await peer.aborted()).toMatch(`export ${id} was released more often`)
  })
})

describe('a return', () => {
  /** The session has called the peer's function, with an object of its own. */
  async function called(): Promise<{ peer: RawPeer; asked: number; question: number }> {
    class Caller extends Main {
      override callBack(callback: (value: unknown) => unknown): unknown {
        return Promise.resolve(callback(new Main()))
      }
    }
    const peer = rawPeer(new Caller())
    await peer.bootstrap()
    const asked = peer.call({ method: ['callBack'], args: [{ '\0': [11, 0] }], capTable: [capOf('senderHosted', 5)] })
    const { questionId } = await peer.next((message) => message.type === 'call')
    return { peer, asked, question: questionId }
  }
  const answer = (answerId: number) =>
    ({ type: 'return', answerId, releaseParamCaps: true, noFinishNeeded: false }) as const

  it('fails the call alone, if its value cannot be', async () => {
    for (const bytes of [hex('c1'), hex(''), content({ '\0': [11, 3] }), hex('c0 c0'), content([{ '\0': [99] }])]) {
      const { peer, asked, question } = await called()
      peer.send({ ...answer(question), outcome: { kind: 'results', payload: { content: bytes, capTable: [] } } })
      expect(await peer.outcomeOf(asked)).toMatch(/failed: a value that cannot be/)
      expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1] }))).toBe(1)
    }
  })

  it('fails the call alone, if its exception is hostile', async () => {
    const hostile = content({
      '\0': [9, { name: 'x'.repeat(70_000), message: 'm', constructor: 1, stack: 's', type: 'nothing' }],
    })
    const { peer, asked, question } = await called()
    peer.send({
      ...answer(question),
      outcome: { kind: 'exception', exception: { type: 'failed', reason: 'y'.repeat(100_000), detail: hostile } },
    })
    expect(await peer.outcomeOf(asked)).toMatch(/^failed: y+$/)
  })

  it('cannot reach prototypes by an exception', async () => {
    const { peer, asked, question } = await called()
    const proto = Buffer.from('81a95f5f70726f746f5f5f81a8706f6c6c75746564c3', 'hex') // {"__proto__": {"polluted": true}}
    peer.send({
      ...answer(question),
      outcome: { kind: 'exception', exception: { type: 'failed', reason: 'r', detail: proto } },
    })
    expect(await peer.outcomeOf(asked)).toBe('failed: r')
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('ends the session, if its results went elsewhere unasked', async () => {
    const { peer, question } = await called()
    peer.send({ ...answer(question), outcome: { kind: 'resultsSentElsewhere' } })
    expect(await peer.aborted()).toMatch('went elsewhere unasked')
  })

  it('ends the session, if it is taken from a question that is none', async () => {
    const { peer, question } = await called()
    peer.send({ ...answer(question), outcome: { kind: 'takeFromOtherQuestion', questionId: 9 } })
    expect(await peer.aborted()).toMatch('there is no open question 9')
  })

  it('ends the session, if it is taken from what waits for it', async () => {
    class Passing extends Main {
      override callBack(callback: (value: unknown) => unknown): unknown {
        return callback(1) // a call of the peer, as the result
      }
    }
    const peer = rawPeer(new Passing())
    await peer.bootstrap()
    const asked = peer.call({ method: ['callBack'], args: [{ '\0': [11, 0] }], capTable: [capOf('senderHosted', 5)] })
    const { questionId } = await peer.next((message) => message.type === 'call')
    peer.send({ ...answer(questionId), outcome: { kind: 'takeFromOtherQuestion', questionId: asked } })
    expect(await peer.aborted()).toMatch('take its results from itself')
  })

  it('releases the arguments, and ends the session if they were released before', async () => {
    const { peer, question } = await called()
    const call = await peer.next((message) => message.type === 'call')
    const [own] = call.params.capTable
    expect(own?.kind).toBe('senderHosted')
    peer.release(own?.id as number)
    peer.send({ ...answer(question), outcome: { kind: 'canceled' } })
    expect(await peer.aborted()).toMatch('was released more often')
  })
})

describe('a promise of the peer’s', () => {
  async function kept(): Promise<{ peer: RawPeer; main: Main }> {
    const main = new Main()
    const peer = rawPeer(main)
    await peer.bootstrap()
    await peer.outcomeOf(
      peer.call({ method: ['keep'], args: [{ '\0': [11, 0] }], capTable: [capOf('senderPromise', 5)] }),
    )
    return { peer, main }
  }
  const resolve = (promiseId: number, cap: ReturnType<typeof capOf>) =>
    ({ type: 'resolve', promiseId, resolution: { kind: 'cap', cap } }) as const

  it('fails, if it is resolved to itself', async () => {
    const { peer, main } = await kept()
    peer.send(resolve(5, capOf('senderPromise', 5)))
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1] }))).toBe(1)
    await expect((main.kept as () => Promise<unknown>)()).rejects.toThrow('a promise was resolved to itself')
    ;(main.kept as Disposable)[Symbol.dispose]()
  })

  it('fails, if it is resolved in a circle', async () => {
    const { peer, main } = await kept()
    peer.send(resolve(5, capOf('senderPromise', 6)))
    peer.send(resolve(6, capOf('senderPromise', 7)))
    peer.send(resolve(7, capOf('senderPromise', 5)))
    peer.send(resolve(5, capOf('senderPromise', 6)))
    peer.send(resolve(6, capOf('senderPromise', 7)))
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1] }))).toBe(1)
    void (main.kept as () => Promise<unknown>)().then(undefined, () => {})
    ;(main.kept as Disposable)[Symbol.dispose]()
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [2] }))).toBe(2)
  })

  it('may be resolved to a promise twenty thousand times', async () => {
    const { peer, main } = await kept()
    for (let id = 5; id < 20_005; id++) peer.send(resolve(id, capOf('senderPromise', id + 1)))
    expect(await peer.outcomeOf(peer.call({ method: ['echo'], args: [1] }))).toBe(1)
    void (main.kept as () => Promise<unknown>)().then(undefined, () => {})
    const { target } = await peer.next((message) => message.type === 'call')
    expect(target).toEqual({ kind: 'importedCap', id: 20_005, transform: noPath })
    ;(main.kept as Disposable)[Symbol.dispose]()
  })
})
