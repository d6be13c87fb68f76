/**
 * Calls on one capability arrive in the order in which they are made, however they get there (rpc.capnp: E-order, promise
 * pipelining, embargoes: *Disembargo*).
 */
import { RpcStub } from '../../../../src/rpc/index.js'
import { many, type Place, role, type Scenario, two } from '../../support/place.js'
import { promised } from '../../support/promised.js'
import { type Log, Vat } from '../../support/vats.js'
import { logAt, serving, servingEntries, servingLog } from './vats.js'

export const order: readonly Scenario[] = [
  two(
    'E-order: on a capability, on the promise of it, and on what that has become',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using promise = b.getLogLater()
      calls.push(promise.add(1), promise.add(2))
      await place.step()
      calls.push(promise.add(3))
      using log = await promise
      calls.push(log.add(4))
      await place.step()
      calls.push(promise.add(5))
      await Promise.all(calls)
    },
    servingLog(1, 2, 3, 4, 5),
  ),

  two(
    'E-order: by properties and indexes of what is promised, which is the caller’s own (embargo)',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using mine = new RpcStub(logAt(place, 1, 2, 3, 4, 5))
      using promise = b.wrapLater(mine)
      calls.push(promise.list[0].deep.add(1), promise.list[0].deep.add(2))
      await place.step()
      calls.push(promise.list[0].deep.add(3))
      using wrapped = await promise
      await place.step()
      calls.push(wrapped.list[0].deep.add(4), promise.list[0].deep.add(5))
      await Promise.all(calls)
    },
    serving,
  ),

  two(
    'embargo: what is promised turns out to be the caller’s own',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using mine = new RpcStub(logAt(place, 1, 2, 3, 4, 5, 6))
      using promise = b.echoLater(mine)
      calls.push(promise.add(1))
      await place.step()
      calls.push(promise.add(2), promise.add(3))
      using home = await promise
      calls.push(home.add(4))
      await place.step()
      calls.push(promise.add(5))
      await Promise.all(calls)
      calls.push(home.add(6))
      await Promise.all(calls)
    },
    serving,
  ),

  two(
    'embargo: what is behind it is passed on, and disposed of, before it is lifted',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using mine = new RpcStub(logAt(place, 1, 2, 3))
      const promise = b.echoLater(mine)
      calls.push(promise.add(1))
      const home = await promise
      calls.push(home.add(2))
      // To the peer and back, which must not take less time than the embargo.
      calls.push(b.use(home, 3))
      await place.step()
      home[Symbol.dispose]()
      await place.step()
      promise[Symbol.dispose]()
      await Promise.all(calls)
    },
    serving,
  ),

  two(
    'embargo: the caller’s own comes back twice in one result',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using mine = new RpcStub(logAt(place, 1, 2, 3))
      using promise = b.wrapLater(mine)
      calls.push(promise.list[0].deep.add(1))
      await place.step()
      calls.push(promise.list[0].deep.add(2))
      using wrapped = await promise
      calls.push(wrapped.list[0].deep.add(3))
      await Promise.all(calls)
    },
    serving,
  ),

  two(
    'resolve to receiverHosted: a promise that was passed turns out to be its receiver’s own',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using mine = new RpcStub(logAt(place, 1, 2, 3, 4, 5))
      using promise = await b.later(mine)
      calls.push(promise.add(1), promise.add(2))
      await place.step()
      calls.push(promise.add(3))
      await place.step()
      calls.push(promise.add(4))
      await Promise.all(calls)
      calls.push(promise.add(5))
      await Promise.all(calls)
    },
    serving,
  ),

  two(
    'resolve to senderHosted: a promise that was passed turns out to be its sender’s own',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using log = await b.getLog()
      using promise = await b.later(log)
      calls.push(promise.add(1))
      await place.step()
      calls.push(promise.add(2))
      await place.step()
      calls.push(promise.add(3))
      await Promise.all(calls)
    },
    servingLog(1, 2, 3),
  ),

  two(
    'resolve to promise: a chain of promises, each of which is resolved to the next',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using mine = new RpcStub(logAt(place, 1, 2, 3))
      using first = await b.later(mine)
      using second = await b.later(first)
      calls.push(second.add(1))
      await place.step()
      calls.push(second.add(2))
      await Promise.all(calls)
      calls.push(second.add(3))
      await Promise.all(calls)
    },
    serving,
  ),

  two(
    'resolve to promise: the result of a call is a promise, which turns out to be the caller’s own',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using mine = new RpcStub(logAt(place, 1, 2, 3, 4))
      using promise = b.later(mine) as unknown as RpcStub<Log> & PromiseLike<RpcStub<Log> & Disposable> & Disposable
      calls.push(promise.add(1))
      await place.step()
      calls.push(promise.add(2))
      using known = await promise
      calls.push(known.add(3))
      await place.step()
      calls.push(known.add(4))
      await Promise.all(calls)
    },
    serving,
  ),

  two(
    'resolve to promise: a promise in an answer that has not come is what an exported one is resolved to',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      const { stub, resolve } = promised<Log>()
      calls.push(b.use(stub, 1))
      // The peer is told receiverAnswer, of a question that it is still answering.
      using answer = b.getLogLater()
      await place.step()
      resolve(answer.dup() as unknown as RpcStub<Log>)
      calls.push(stub.add(2))
      await place.step()
      stub[Symbol.dispose]()
      await Promise.all(calls)
    },
    // By two ways, which owe one another nothing: the peer's own call, and one of this vat's.
    servingEntries(1, 2),
  ),

  two(
    'disembargo: to a promise that the peer has resolved to another promise of the caller’s, not known yet',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      const { stub, resolve } = promised<Log>()
      place.keep(stub)
      using promise = b.echoLater(stub)
      calls.push(promise.add(1))
      await place.step()
      using mine = new RpcStub(logAt(place, 1, 2, 3))
      resolve(mine.dup())
      calls.push(promise.add(2))
      using home = await promise
      calls.push(home.add(3))
      await Promise.all(calls)
    },
    serving,
  ),

  // rpc.capnp, Disembargo: what was sent to a promise goes on to what it was resolved to, and no further.
  many(
    two(
      'Tribble 4-way race: promises of two vats are resolved to one another’s',
      role(
        (place) => new Promising(place),
        async (place, { deferred: { stub, resolve } }) => {
          // A promise of b's, held by a, which will be carol, of a.
          using b = place.main<Vat>('b')
          using carol = new RpcStub(logAt(place, 1, 2, 3, 4, 5))
          using ofB = await b.later(carol)
          await place.step()
          // And the promise of a's that b holds will be that promise of b's.
          resolve(ofB.dup())
          stub[Symbol.dispose]()
        },
      ),
      role(
        (place) => new Vat(place, place.name),
        async (place) => {
          const { calls } = place
          using a = place.main<Promising>('a')
          using held = await a.getPromise()
          calls.push(held.add(1))
          await place.step()
          calls.push(held.add(2))
          await place.step()
          calls.push(held.add(3))
          await place.step()
          calls.push(held.add(4))
          await Promise.all(calls)
          await held.add(5)
        },
      ),
    ),
  ),
]

class Promising extends Vat {
  readonly deferred = promised<Log>()

  constructor(place: Place) {
    super(place, place.name)
  }

  getPromise(): RpcStub<Log> {
    return this.deferred.stub.dup()
  }
}
