/**
 * What is said and understood, message by message, with a peer that the test plays (rpc.capnp, levels 0 and 1).
 */
import { describe, expect, test } from 'vitest'
import { RpcStub } from '../../../src/rpc/index.js'
import { once } from '../support/explore.js'
import { promised } from '../support/promised.js'
import { call, capDescriptor, plain, returned, ScriptedPeer, withCaps } from '../support/scripted-peer.js'
import { Log, Vat, Watched } from '../support/vats.js'

describe('A call', () => {
  test('that is not called on, and brings no capabilities, takes two messages', async () => {
    await once(
      async (network) => {
        const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
        using main = a.main<Vat>()
        await main.echo(1)
        const before = network.sent.length
        await main.echo(2)
        await network.turn('a')
        expect(network.sent.slice(before).map(({ message }) => message)).toMatchObject([
          { type: 'call', noPromisePipelining: true },
          { type: 'return', noFinishNeeded: true },
        ])
      },
      () => 0,
    )
  })

  test('that is called on is finished, and what it is called on is not asked for again', async () => {
    await once(
      async (network) => {
        const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
        using main = a.main<Vat>()
        await main.echo(1)
        const before = network.sent.length
        using promise = main.getLog()
        await promise.add(1)
        await network.turn('a')
        const sent = network.sent.slice(before).map(({ message }) => message)
        expect(sent).toMatchObject([
          { type: 'call', noPromisePipelining: false },
          { type: 'call', noPromisePipelining: true, target: { kind: 'promisedAnswer' } },
          { type: 'return', noFinishNeeded: false },
          { type: 'return', noFinishNeeded: true },
          { type: 'finish' },
        ])
      },
      () => 0,
    )
  })
})

class Keeper extends Watched {
  readonly log = new Log()

  getLog() {
    return this.log
  }
}

describe('A peer’s message', () => {
  test('return with releaseParamCaps gives back what the call named, once', async () => {
    const peer = new ScriptedPeer()
    const log = new Log()
    const main = peer.end.main<{ take(log: Log): number }>()
    await peer.say(returned(0, withCaps(new Log(), [capDescriptor('senderHosted', 3)])))
    await peer.heard()
    const result = Promise.resolve(main.take(log))
    expect(await peer.heard()).toMatchObject([
      { type: 'call', params: { capTable: [{ kind: 'senderHosted', id: 0 }] } },
    ])
    expect(peer.end.connection.stats.exports).toBe(1)
    await peer.say(returned(0, plain(7), { releaseParamCaps: true }))
    expect(await result).toBe(7)
    expect(peer.end.connection.stats.exports).toBe(0)
    expect(log.disposals).toBe(1)
    main[Symbol.dispose]()
    await peer.close()
  })

  test('finish with releaseResultCaps gives back what was returned, once', async () => {
    const main = new Keeper()
    const peer = new ScriptedPeer(main)
    await peer.say({ type: 'bootstrap', questionId: 9 })
    const [answer] = await peer.say(call(1, 0, 'getLog', plain([])))
    expect(answer).toMatchObject({ answerId: 1, outcome: { payload: { capTable: [{ kind: 'senderHosted', id: 1 }] } } })
    await peer.say({ type: 'finish', questionId: 1, releaseResultCaps: true })
    expect(main.log.disposals).toBe(1)
    expect(peer.end.connection.stats).toMatchObject({ exports: 1, answers: 1 })
    await peer.close()
    expect(main.disposals).toBe(1)
  })

  test('finish before return cancels, and is answered by a return all the same', async () => {
    const peer = new ScriptedPeer({ never: () => new Promise(() => {}) })
    await peer.say({ type: 'bootstrap', questionId: 9 })
    await peer.say(call(1, 0, 'never', plain([])))
    expect(await peer.say({ type: 'finish', questionId: 1, releaseResultCaps: true })).toMatchObject([
      { type: 'return', answerId: 1, outcome: { kind: 'canceled' } },
    ])
    expect(peer.end.connection.stats.answers).toBe(1)
    await peer.close()
  })

  test('unimplemented for a call fails that call alone, and gives back its parameters', async () => {
    const peer = new ScriptedPeer()
    const log = new Log()
    const main = peer.end.main<{ take(log: Log): number; more(): number }>()
    await peer.say(returned(0, withCaps(new Log(), [capDescriptor('senderHosted', 3)])))
    await peer.heard()
    const failing = expect(Promise.resolve(main.take(log))).rejects.toMatchObject({ type: 'unimplemented' })
    const [asked] = await peer.heard()
    await peer.say({ type: 'unimplemented', message: peer.encoded(asked) })
    await failing
    expect(log.disposals).toBe(1)
    const next = Promise.resolve(main.more())
    await peer.heard()
    await peer.say(returned(0, plain(1)))
    expect(await next).toBe(1)
    main[Symbol.dispose]()
    await peer.close()
  })

  test('unimplemented for a resolve gives back what the promise was resolved to', async () => {
    const peer = new ScriptedPeer()
    const main = peer.end.main<{ take(log: unknown): number }>()
    await peer.say(returned(0, withCaps(new Log(), [capDescriptor('senderHosted', 3)])))
    await peer.heard()
    const { stub, resolve } = promised<Log>()
    const taken = Promise.resolve(main.take(stub))
    expect(await peer.heard()).toMatchObject([{ params: { capTable: [{ kind: 'senderPromise', id: 0 }] } }])
    stub[Symbol.dispose]()
    const log = new Log()
    resolve(new RpcStub(log))
    const [resolution] = await peer.heard()
    expect(resolution).toMatchObject({ type: 'resolve', promiseId: 0, resolution: { cap: { id: 1 } } })
    await peer.say({ type: 'unimplemented', message: peer.encoded(resolution) })
    expect(peer.end.connection.stats.exports).toBe(1)
    // The promise still leads there.
    expect(await peer.say(call(5, 0, 'add', plain([4])))).toMatchObject([{ outcome: { kind: 'results' } }])
    expect(log.entries).toEqual([4])
    await peer.say({ type: 'finish', questionId: 5, releaseResultCaps: false })
    await peer.say(returned(0, plain(1), { releaseParamCaps: true }))
    await taken
    expect(log.disposals).toBe(1)
    main[Symbol.dispose]()
    await peer.close()
  })

  test('a promise that is released and named again is resolved once', async () => {
    const { stub, resolve } = promised<Log>()
    const peer = new ScriptedPeer({ get: () => stub.dup() })
    await peer.say({ type: 'bootstrap', questionId: 9 })
    for (const id of [1, 2, 3]) {
      const [answer] = await peer.say(call(id, 0, 'get', plain([])))
      expect(answer).toMatchObject({ outcome: { payload: { capTable: [{ kind: 'senderPromise', id: 1 }] } } })
      await peer.say({ type: 'finish', questionId: id, releaseResultCaps: id < 3 })
    }
    const log = new Log()
    resolve(new RpcStub(log))
    expect(await peer.heard()).toMatchObject([{ type: 'resolve', promiseId: 1, resolution: { cap: { id: 2 } } }])
    await peer.say({ type: 'release', id: 1, referenceCount: 1 }, { type: 'release', id: 2, referenceCount: 1 })
    stub[Symbol.dispose]()
    expect(log.disposals).toBe(1)
    expect(peer.end.connection.stats.exports).toBe(1)
    await peer.close()
  })

  test('of a kind that is not known is echoed', async () => {
    const peer = new ScriptedPeer()
    const message = Uint8Array.of(200, 1, 2, 3)
    expect(await peer.say({ type: 'unknown', message })).toEqual([{ type: 'unimplemented', message }])
    await peer.close()
  })

  test('abort ends everything with what it says', async () => {
    const peer = new ScriptedPeer()
    const main = peer.end.main<{ wait(): number }>()
    const failing = expect(Promise.resolve(main.wait())).rejects.toMatchObject({
      type: 'disconnected',
      message: 'enough',
      cause: { type: 'overloaded' },
    })
    await peer.heard()
    const detail = new Uint8Array(0)
    await peer.say({ type: 'abort', exception: { type: 'overloaded', reason: 'enough', detail } })
    await failing
    expect(peer.end.connection.stats).toEqual({ imports: 0, exports: 0, questions: 0, answers: 0, embargoes: 0 })
    main[Symbol.dispose]()
    expect(peer.ended).toBe(true)
  })

  test('resolve of a promise to itself breaks the promise, and nothing else', async () => {
    const peer = new ScriptedPeer()
    const main = peer.end.main<Log>()
    await peer.say(returned(0, withCaps(new Log(), [capDescriptor('senderPromise', 3)])))
    await peer.heard()
    const resolution = { kind: 'cap', cap: capDescriptor('senderPromise', 3) } as const
    await peer.say({ type: 'resolve', promiseId: 3, resolution })
    await expect(Promise.resolve(main.add(1))).rejects.toThrow('a promise was resolved to itself')
    expect(peer.end.connection.failure).toBeUndefined()
    main[Symbol.dispose]()
    await peer.close()
  })

  test('release takes names back by their count, and no more of them than there are', async () => {
    const main = new Keeper()
    const peer = new ScriptedPeer(main)
    await peer.say({ type: 'bootstrap', questionId: 9 })
    for (const id of [1, 2, 3]) {
      await peer.say(call(id, 0, 'getLog', plain([])), { type: 'finish', questionId: id, releaseResultCaps: false })
    }
    await peer.say({ type: 'release', id: 1, referenceCount: 2 })
    expect(main.log.disposals).toBe(0)
    await peer.say({ type: 'release', id: 1, referenceCount: 1 })
    expect(main.log.disposals).toBe(1)
    expect(await peer.say({ type: 'release', id: 1, referenceCount: 1 })).toMatchObject([{ type: 'abort' }])
    expect(peer.ended).toBe(true)
    expect(main.disposals).toBe(1)
  })
})
