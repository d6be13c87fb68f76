/**
 * What came by one session goes on by another: it is proxied, with all that this needs of order; and what comes home is
 * called at home.
 */
import assert from 'node:assert/strict'
import { RpcStub } from '../../../../src/rpc/index.js'
import { many, type Place, type Role, role, row, type Scenario } from '../../support/place.js'
import { disposeAll, type Log, Vat } from '../../support/vats.js'
import { awaitedLater, isLoss, logAt, serving, servingLog } from './vats.js'

export const threeVats: readonly Scenario[] = [
  many(
    row(
      'three vats: what is on a third one is called through the vat between, in order, before and after it is known',
      async (place: Place) => {
        const { calls } = place
        using b = place.main<Between>('b')
        using c = b.third() as unknown as RpcStub<Vat> & Disposable
        using log = c.getLogLater()
        calls.push(log.add(1))
        await place.step()
        calls.push(log.add(2))
        using known = await log
        calls.push(known.add(3), log.add(4))
        await Promise.all(calls)
      },
      between(),
      servingLog(1, 2, 3, 4),
    ),
  ),

  many(
    row(
      'three vats: a promise on a third one turns out to be the first caller’s own (embargo through both sessions)',
      async (place: Place) => {
        const { calls } = place
        using b = place.main<Between>('b')
        using c = b.third() as unknown as RpcStub<Vat> & Disposable
        using mine = new RpcStub(logAt(place, 1, 2, 3, 4))
        using promise = c.echoLater(mine)
        calls.push(promise.add(1))
        await place.step()
        calls.push(promise.add(2))
        using home = await promise
        calls.push(home.add(3), promise.add(4))
        await Promise.all(calls)
      },
      between(),
      serving,
    ),
  ),

  many(
    row(
      'three vats: a promise on a third one turns out to be the vat’s between: the way gets shorter',
      async (place: Place) => {
        const { calls } = place
        using b = place.main<Between>('b')
        using c = b.third() as unknown as RpcStub<Vat> & Disposable
        using ofB = b.getLog()
        using promise = c.echoLater(ofB as never)
        calls.push(promise.add(1))
        await place.step()
        calls.push(promise.add(2))
        using home = await promise
        calls.push(home.add(3), promise.add(4))
        await Promise.all(calls)
      },
      between(1, 2, 3, 4),
      serving,
    ),
  ),

  many(
    row(
      'resolve to promise: a promise is resolved to a promise of a third vat’s, which is told of through the vat between',
      async (place: Place) => {
        const { calls } = place
        using b = place.main<Between>('b')
        using mine = new RpcStub(logAt(place, 1, 2, 3))
        using promise = b.laterThroughThird(mine) as unknown as RpcStub<Log> & Disposable
        calls.push(promise.add(1))
        await place.step()
        calls.push(promise.add(2))
        await Promise.all(calls)
        calls.push(promise.add(3))
        await Promise.all(calls)
      },
      between(),
      serving,
    ),
  ),

  many(
    row(
      'promise resolved to a capability on a third vat: calls keep their order',
      async (place: Place) => {
        const { calls } = place
        using b = place.main<Between>('b')
        using promise = b.laterThirdsLog() as unknown as RpcStub<Log> & Disposable
        calls.push(promise.add(1))
        await place.step()
        calls.push(promise.add(2))
        using known = await promise
        calls.push(known.add(3), promise.add(4))
        await Promise.all(calls)
      },
      between(),
      servingLog(1, 2, 3, 4),
    ),
  ),

  many(
    row(
      'Tribble 4-way race, in a row: a promise of a third vat’s is resolved to one of the first’s, through the vat between',
      async (place: Place) => {
        const { calls } = place
        using b = place.main<Between>('b')
        using c = b.third() as unknown as RpcStub<Vat> & Disposable
        using carol = new RpcStub(logAt(place, 1, 2, 3))
        // Of b, to be carol; and of c, to be that one.
        using ofB = b.later(carol)
        using ofC = c.later(ofB as never)
        calls.push(ofC.add(1))
        await place.step()
        calls.push(ofC.add(2))
        await Promise.all(calls)
        await ofC.add(3)
      },
      between(),
      serving,
    ),
  ),

  many(
    row(
      'tail call on a third vat: its results come through the vat between, in order',
      async (place: Place) => {
        const { calls } = place
        using b = place.main<Between>('b')
        using promise = b.thirdsLog() as unknown as RpcStub<Log> & PromiseLike<RpcStub<Log> & Disposable> & Disposable
        calls.push(promise.add(1))
        await place.step()
        calls.push(promise.add(2))
        using log = await promise
        calls.push(log.add(3), promise.add(4))
        await Promise.all(calls)
      },
      between(),
      servingLog(1, 2, 3, 4),
    ),
  ),

  many(
    row(
      'three vats: what came through two sessions is released along its whole way',
      async (place: Place) => {
        using b = place.main<Between>('b')
        using c = b.third() as unknown as RpcStub<Vat> & Disposable
        const log = c.getLog()
        const again = c.echo(log)
        await place.step()
        log[Symbol.dispose]()
        await place.step()
        disposeAll(again)
      },
      between(),
      serving,
    ),
  ),

  many(
    row(
      'abort in the middle: the session behind is lost, what came by it is broken, and the session before goes on',
      async (place: Place) => {
        const { calls } = place
        using b = place.main<Between>('b')
        using c = (await b.third()) as unknown as RpcStub<Vat> & Disposable
        const log = c.getLogLater()
        calls.push(log.add(1), awaitedLater(Promise.resolve(log).then(disposeAll)))
        await place.step()
        calls.push(b.loseThird())
        for (const outcome of await Promise.allSettled(calls)) {
          if (outcome.status === 'rejected') assert.ok(isLoss(outcome.reason), String(outcome.reason))
        }
        log[Symbol.dispose]()
        await assert.rejects(Promise.resolve(c.echo(1)), isLoss)
        using ofB = await b.getLog()
        assert.equal(await ofB.add(2), 2)
      },
      between(2),
      serving,
    ),
  ),
]

/** Vat b, which has c for a. */
function between(...entries: readonly number[]): Role {
  return role(
    (place) => {
      const vat = new Between(place)
      place.atEnd(() => assert.deepEqual(vat.log.entries, entries))
      return vat
    },
    async (place, vat) => {
      vat.c = place.keep(place.main<Vat>('c'))
    },
  )
}

class Between extends Vat {
  c: (RpcStub<Vat> & Disposable) | undefined
  readonly #place: Place

  constructor(place: Place) {
    super(place, place.name)
    this.#place = place
  }

  third(): RpcStub<Vat> {
    return (this.c as RpcStub<Vat>).dup()
  }

  thirdsLog() {
    return (this.c as RpcStub<Vat>).getLog()
  }

  /** At once, a stub of what some time will be the log of c, once c has given it. */
  async laterThirdsLog() {
    await this.#place.step()
    return (this.c as RpcStub<Vat>).getLogLater()
  }

  laterThroughThird(log: RpcStub<Log>) {
    using later = this.later(log) as RpcStub<Log> & Disposable
    return (this.c as RpcStub<Vat>).echo(later)
  }

  loseThird(): void {
    this.#place.lose('c')
  }
}
