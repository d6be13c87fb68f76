/**
 * A call that nobody waits for any more (rpc.capnp: Finish before Return, Return before Finish, `canceled`): it leaves
 * nothing behind.
 */
import assert from 'node:assert/strict'
import { callContext, RpcStub, withOptions } from '../../../../src/rpc/index.js'
import { type Place, role, row, type Scenario, two } from '../../support/place.js'
import { promised } from '../../support/promised.js'
import { disposeAll, Log, type Vat, Watched } from '../../support/vats.js'
import { awaitedLater, serving } from './vats.js'

export const cancel: readonly Scenario[] = [
  two(
    'cancel before return, finish after return: whenever it is canceled',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      const promise = b.getLogLater()
      const call = promise.add(1)
      await place.step()
      disposeAll(promise)
      await place.step()
      disposeAll(call)
      await place.step()
      await b.echo(0)
    },
    serving,
  ),

  two(
    'finish with releaseResultCaps: results whose capabilities nobody took, and those that were taken',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      using mine = new RpcStub(place.watch(new Log(), 'mine'))
      const unwanted = b.wrapLater(mine)
      const wanted = b.getLogLater()
      await place.step()
      disposeAll(unwanted)
      using log = await wanted
      await place.step()
      disposeAll(wanted)
      assert.equal(await log.add(1), 1)
    },
    serving,
  ),

  two(
    'cancel before return: with arguments and results that hold capabilities',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      using mine = new RpcStub(place.watch(new Log(), 'log'))
      const promise = b.wrapLater(mine)
      const call = promise.list[0].deep.add(1)
      await place.step()
      disposeAll(promise)
      await place.step()
      disposeAll(call)
    },
    serving,
  ),

  two(
    'pipelining through a canceled question: the call on it is wanted, it alone is not',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      const promise = b.getLogLater()
      const call = promise.add(1)
      calls.push(call)
      await place.step()
      disposeAll(promise)
      await place.step()
      assert.equal(await call, 1)
    },
    serving,
  ),

  two(
    'pipelining through a canceled question: it is an argument of another call by then',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      const promise = b.getLogLater()
      const echoed = b.echo(promise as never) as unknown as RpcStub<Log> & Disposable
      await place.step()
      disposeAll(promise)
      await place.step()
      const call = echoed.add(1)
      calls.push(call)
      assert.equal(await call, 1)
      disposeAll(echoed)
    },
    serving,
  ),

  two(
    'call to promisedAnswer of a failed call: before and after it has failed',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using failing = b.failLater() as unknown as RpcStub<Log> & Disposable
      calls.push(failing.add(1))
      await place.step()
      calls.push(failing.add(2))
      await place.step()
      calls.push(failing.add(3))
      for (const { status, reason } of (await Promise.allSettled(calls)) as PromiseRejectedResult[]) {
        assert.equal(status, 'rejected')
        if (reason.type !== 'disconnected') assert.match(reason.message, /as asked/)
      }
      assert.equal(await b.echo(5), 5)
    },
    serving,
  ),

  two(
    'call to promisedAnswer of what is no capability: it fails alone',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using number = b.echo(5)
      const call = (number as unknown as RpcStub<Log>).add(1)
      calls.push(call)
      await place.step()
      const deep = (number as unknown as { nowhere: RpcStub<Log> }).nowhere.add(1)
      calls.push(deep)
      await Promise.allSettled(calls)
      assert.equal(await number, 5)
      for (const one of calls) await assert.rejects(Promise.resolve(one))
    },
    serving,
  ),

  two(
    'cancel: while it waits for a promise among its arguments that never comes',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      const never = b.forever()
      const call = b.echo(never)
      const seen = b.echo([1, { never: call }])
      await place.step()
      disposeAll(seen)
      await place.step()
      disposeAll(call, never)
    },
    serving,
  ),

  two(
    'cancel: when the caller’s signal says so',
    async (place: Place) => {
      const { calls } = place
      using b = place.main<Vat>('b')
      using mine = new RpcStub(place.watch(new Log(), 'mine'))
      const controller = new AbortController()
      using limited = withOptions(b, { signal: controller.signal }) as RpcStub<Vat> & Disposable
      const call = limited.echoLater(mine)
      calls.push(awaitedLater(Promise.resolve(call).then(disposeAll)))
      await place.step()
      controller.abort(new Error('enough'))
      await Promise.allSettled(calls)
      assert.equal(await b.echo(1), 1)
    },
    serving,
  ),

  row(
    'cancel: when its method waits for another vat, and is told by its signal',
    async (place: Place) => {
      using b = place.main<Near>('b')
      using kept = new RpcStub(place.watch(new Log(), 'argument'))
      const call = b.pass(kept)
      await place.step()
      call[Symbol.dispose]()
      await place.step()
    },
    role(
      (place) => place.watch(new Near(), 'near'),
      async (place, near) => {
        near.far = place.keep(place.main<Far>('c'))
      },
    ),
    role((place) => {
      const far = place.watch(new Far(place), 'far')
      place.always(() => assert.equal(far.ended, far.started))
      return far
    }),
  ),

  two(
    'cancel: when its method returns what it waits for only afterwards',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      using mine = new RpcStub(place.watch(new Log(), 'log'))
      const { stub, reject } = promised<Log>()
      const call = b.use(stub, 1)
      const other = b.echoLater(mine)
      await place.step()
      disposeAll(call)
      await place.step()
      disposeAll(other)
      await place.step()
      reject('too late')
      stub[Symbol.dispose]()
    },
    serving,
  ),
]

class Near extends Watched {
  far: RpcStub<Far> | undefined

  pass(log: RpcStub<Log>) {
    return (this.far as RpcStub<Far>).wait(log)
  }
}

class Far extends Watched {
  started = 0
  ended = 0
  readonly #place: Place

  constructor(place: Place) {
    super()
    this.#place = place
  }

  async wait(log: RpcStub<Log>): Promise<void> {
    this.started++
    const { signal } = callContext()
    using _held = log.dup()
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    this.ended++
    await this.#place.step()
  }
}
