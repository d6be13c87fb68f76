/**
 * A method that returns what it asks of its caller's vat (rpc.capnp: `sendResultsTo.yourself`, `takeFromOtherQuestion`,
 * `resultsSentElsewhere`): the results do not travel.
 */
import assert from 'node:assert/strict'
import { RpcStub } from '../../../../src/rpc/index.js'
import { type Place, type Role, role, type Scenario, two } from '../../support/place.js'
import { disposeAll, type Log, Vat, Watched } from '../../support/vats.js'
import { ends, logAt } from './vats.js'

export const tailCall: readonly Scenario[] = [
  tail('tail call: it is called on before and after it has gone back, in order', [1, 2, 3, 4, 5], async (place, b) => {
    const { calls } = place
    using promise = b.logOf()
    calls.push(promise.add(1))
    await place.step()
    calls.push(promise.add(2))
    await place.step()
    calls.push(promise.add(3))
    using log = await promise
    calls.push(log.add(4), promise.add(5))
    await Promise.all(calls)
  }),

  tail(
    'tail call: its results come some time later, and it is called on before and after',
    [1, 2, 3, 4],
    async (place, b) => {
      const { calls } = place
      using promise = b.logLaterOf()
      calls.push(promise.add(1))
      await place.step()
      calls.push(promise.add(2))
      using log = await promise
      calls.push(log.add(3), promise.add(4))
      await Promise.all(calls)
    },
  ),

  tail('tail call: it is canceled, whenever', undefined, async (place, b) => {
    const promise = b.logLaterOf()
    const call = promise.add(1)
    await place.step()
    disposeAll(call)
    await place.step()
    disposeAll(promise)
  }),

  tail('tail call chains: of a tail call, and so on', [], async (place, b) => {
    const { calls } = place
    calls.push(b.countDown(3))
    await place.step()
    calls.push(b.countDown(4))
    assert.deepEqual(await Promise.all(calls), ['done', 'done'])
  }),

  tail('tail call chains: one is canceled while it goes back and forth', [], async (place, b) => {
    const call = b.countDown(4) as Disposable
    await place.step()
    disposeAll(call)
  }),

  tail('tail call: it fails, and tells the first caller', [], async (place, b) => {
    const { calls } = place
    const failing = b.failOf()
    calls.push(failing)
    await place.step()
    const pipelined = (failing as unknown as RpcStub<Log>).add(1)
    calls.push(pipelined)
    const [outcome] = (await Promise.allSettled(calls)) as PromiseRejectedResult[]
    const { reason } = outcome as PromiseRejectedResult
    if (reason.type !== 'disconnected') {
      assert.equal(reason.message, 'as asked')
      assert.equal(reason.cause.name, 'TypeError')
    }
    await assert.rejects(Promise.resolve(pipelined))
  }),

  tail('tail call: with arguments of the first caller’s', [], async (place, b) => {
    const { calls } = place
    using mine = new RpcStub(logAt(place, 1, 2))
    calls.push(b.use(mine, 1))
    await place.step()
    calls.push(b.use(mine, 2))
    await Promise.all(calls)
  }),

  tail(
    'takeFromOtherQuestion: its results are taken, and the question is finished, in any order',
    [1, 2],
    async (place, b) => {
      const { calls } = place
      const first = b.logLaterOf()
      calls.push(first.add(1))
      const log = await first
      await place.step()
      disposeAll(first)
      calls.push(log.add(2))
      await place.step()
      disposeAll(log)
      await Promise.all(calls)
    },
  ),

  two(
    'tail call: it brings the results if the method keeps them too',
    asked([1, 2], async (place, b) => {
      const { calls } = place
      using promise = b.logAndKeep()
      calls.push(promise.add(1))
      await place.step()
      using log = await promise
      calls.push(log.add(2))
      await Promise.all(calls)
    }),
    forwarding(),
  ),
]

/** Vat b turns to vat a for everything that a asks of it. */
function tail(
  name: string,
  entries: readonly number[] | undefined,
  run: (place: Place, b: RpcStub<Forwarder> & Disposable) => Promise<void>,
): Scenario {
  return two(name, asked(entries, run), forwarding())
}

function asked(
  entries: readonly number[] | undefined,
  run: (place: Place, b: RpcStub<Forwarder> & Disposable) => Promise<void>,
): Role {
  return role(
    (place) => {
      const vat = new Asked(place, place.name)
      if (entries !== undefined) ends(place, vat.log, entries)
      return vat
    },
    async (place, vat) => {
      vat.other = place.keep(place.main<Forwarder>('b'))
      using b = place.main<Forwarder>('b')
      await run(place, b)
    },
  )
}

function forwarding(): Role {
  return role(
    (place) => place.watch(new Forwarder(place), 'vat b'),
    async (place, vat) => {
      vat.other = place.keep(place.main<Asked>('a'))
    },
  )
}

class Asked extends Vat {
  other: RpcStub<Forwarder> | undefined

  countDown(depth: number): unknown {
    return depth === 0 ? 'done' : (this.other as RpcStub<Forwarder>).countDown(depth - 1)
  }
}

class Forwarder extends Watched {
  other: RpcStub<Asked> | undefined
  readonly #place: Place

  constructor(place: Place) {
    super()
    this.#place = place
  }

  get #other(): RpcStub<Asked> {
    return this.other as RpcStub<Asked>
  }

  logOf() {
    return this.#other.getLog()
  }

  logLaterOf() {
    return this.#other.getLogLater()
  }

  /** Keeps what it returns for some time. */
  logAndKeep() {
    const promise = this.#other.getLog()
    const kept = promise.dup()
    this.#place.step().then(() => kept[Symbol.dispose]())
    return promise
  }

  failOf() {
    return this.#other.fail()
  }

  use(log: RpcStub<Log>, entry: number) {
    return this.#other.use(log, entry)
  }

  countDown(depth: number): unknown {
    return depth === 0 ? 'done' : this.#other.countDown(depth - 1)
  }
}
