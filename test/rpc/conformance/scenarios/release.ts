/**
 * What is let go of is let go of once, on both sides, whatever crosses on the way (rpc.capnp: *Release*, *Finish*,
 * *Resolve*).
 */
import assert from 'node:assert/strict'
import { RpcStub } from '../../../../src/rpc/index.js'
import { type Place, role, type Scenario, two } from '../../support/place.js'
import { promised } from '../../support/promised.js'
import { disposeAll, Log, Vat } from '../../support/vats.js'
import { logAt, serving, servingEntries, servingLog } from './vats.js'

export const release: readonly Scenario[] = [
  two(
    'release race: an object is named again while its release is on the way',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      for (let i = 0; i < 2; i++) {
        const log = await b.getLog()
        const again = b.getLog()
        await place.step()
        log[Symbol.dispose]()
        using second = await again
        await second.add(i)
      }
    },
    servingLog(0, 1),
  ),

  two(
    'release race: an object of the caller’s is passed again while it is being released',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using mine = new RpcStub(logAt(place, 1, 2, 3))
      calls.push(b.use(mine, 1), b.use(mine, 2))
      await place.step()
      calls.push(b.use(mine, 3))
      await Promise.all(calls)
    },
    serving,
  ),

  two(
    'release race: a promise is resolved to the receiver’s own while its release is on the way',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      using mine = new RpcStub(place.watch(new Log(), 'log'))
      const promise = await b.later(mine)
      const call = promise.add(1)
      await place.step()
      disposeAll(promise)
      await place.step()
      disposeAll(call)
    },
    serving,
  ),

  two(
    'release race: a promise is resolved to the sender’s own while its release is on the way',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      using theirs = await b.getLog()
      const promise = await b.later(theirs)
      const call = promise.add(1)
      await place.step()
      disposeAll(promise)
      await place.step()
      disposeAll(call)
    },
    serving,
  ),

  two(
    'release race: a promise is released and named again before it is resolved',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Deferring>('b')
      const first = await b.getPromise()
      await place.step()
      first[Symbol.dispose]()
      await place.step()
      using second = await b.getPromise()
      calls.push(second.add(1))
      await Promise.all(calls)
    },
    role(
      (place) => new Deferring(place),
      async (place, vat) => {
        const { stub, resolve } = vat.deferred
        place.keep(stub)
        const own = place.keep(vat.getLog())
        await place.step()
        resolve(own.dup())
      },
    ),
  ),

  two(
    'resolve to an exception: before or after the promise was released',
    role(
      (place) => new Deferring(place),
      async (place, { deferred: { stub, reject } }) => {
        place.keep(stub)
        await place.step()
        reject('it is none')
      },
    ),
    role(
      () => ({}),
      async (place) => {
        using a = place.main<Deferring>('a')
        const held = await a.getPromise()
        const call = held.add(1)
        place.calls.push(call)
        await place.step()
        const late = held.add(2)
        place.calls.push(late)
        await place.step()
        held[Symbol.dispose]()
        for (const one of [call, late]) await assert.rejects(plain(one), /it is none|disconnected|lost|session/)
      },
    ),
  ),

  two(
    'reuse of ids: what is released makes room for others, which calls under way must not reach',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      const first = place.watch(new Log(), 'first')
      const second = place.watch(new Log(), 'second')
      place.always(() => assert.deepEqual(first.entries, [1].slice(0, first.entries.length)))
      place.always(() => assert.deepEqual(second.entries, [2].slice(0, second.entries.length)))
      const one = new RpcStub(first)
      calls.push(b.use(one, 1))
      one[Symbol.dispose]()
      await place.step()
      using two = new RpcStub(second)
      calls.push(b.use(two, 2))
      await Promise.all(calls)
      assert.deepEqual([first.entries, second.entries], [[1], [2]])
    },
    serving,
  ),

  two(
    'reuse of ids: answers come while questions are canceled and others asked',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      const first = b.getLogLater()
      await place.step()
      first[Symbol.dispose]()
      const second = b.echo('second')
      calls.push(second)
      await place.step()
      const third = b.echo('third')
      calls.push(third)
      assert.deepEqual(await Promise.all([second, third]), ['second', 'third'])
    },
    serving,
  ),

  two(
    'Release of several references: one object is named by many results, which are let go of together',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      const all = await Promise.all([b.getLog(), b.getLog(), b.getLog()])
      await place.step()
      const again = b.getLog()
      disposeAll(...all)
      await place.step()
      using last = await again
      await last.add(1)
    },
    servingLog(1),
  ),

  two(
    'an argument that is a promise in the results of the callee’s',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using promise = b.getLogLater()
      calls.push(b.use(promise as never, 1))
      await place.step()
      calls.push(b.use(promise as never, 2))
      await Promise.all(calls)
    },
    servingEntries(1, 2),
  ),

  two(
    'a result whose promise was asked for it twice, and once after it was disposed of',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using promise = b.getLogLater()
      using second = promise.dup()
      const log = await promise
      const other = await second
      calls.push(log.add(1))
      await Promise.all(calls)
      log[Symbol.dispose]()
      await place.step()
      calls.push(other.add(2))
      other[Symbol.dispose]()
      await Promise.all(calls)
      await assert.rejects(plain(promise.add(3)), /disposed of/)
    },
    servingLog(1, 2),
  ),

  two(
    'an object whose last stub goes while its method runs is disposed of when that has ended',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      const seen: number[] = []
      const log = place.watch(
        new (class extends Log {
          override add(entry: number): number {
            seen.push(this.disposals)
            return entry
          }
        })(),
        'log',
      )
      const local = new RpcStub(log)
      calls.push(local.add(1))
      await place.step()
      calls.push(b.use(local, 2))
      await place.step()
      local[Symbol.dispose]()
      await Promise.all(calls)
      assert.deepEqual(seen, [0, 0])
    },
    serving,
  ),
]

async function plain<T>(promise: PromiseLike<T>): Promise<T> {
  return await promise
}

/** Has a promise to give, of its own log if that is what it turns out to be. */
class Deferring extends Vat {
  readonly deferred = promised<Log>()

  constructor(place: Place) {
    super(place, place.name)
  }

  getPromise(): RpcStub<Log> {
    return this.deferred.stub.dup()
  }
}
