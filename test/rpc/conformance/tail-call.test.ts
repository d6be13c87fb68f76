/**
 * A method that returns what it asks of its caller's vat (rpc.capnp: `sendResultsTo.yourself`, `takeFromOtherQuestion`,
 * `resultsSentElsewhere`): the results do not travel.
 */
import { describe, expect, test, vi } from 'vitest'
import { RpcStub } from '../../../src/rpc/index.js'
import { explore, once } from '../support/explore.js'
import { type Network, Watched } from '../support/network.js'
import { disposeAll, Log, Vat } from '../support/vats.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: 120_000 })

describe('A tail call', () => {
  test('leaves the results where they are', async () => {
    await once(async (network) => {
      using all = vats(network)
      const { main, vatA } = all
      expect(await main.echoOf('x'.repeat(1000))).toBe('x'.repeat(1000))
      expect(vatA.called).toBe(1)
      const back = network.sent.filter(({ message }) => message.type === 'return').slice(-2)
      expect(back.map(({ way }) => way).sort()).toEqual(['a>b', 'b>a'])
      for (const { message } of back) {
        expect(message).toMatchObject({
          outcome: { kind: expect.stringMatching(/^(takeFromOtherQuestion|resultsSentElsewhere)$/) },
        })
      }
    }, first)
  })

  test('is called on before and after it has gone back, in order', async () => {
    await explore(async (network) => {
      using all = vats(network)
      const { main, vatA } = all
      const promise = main.logOf()
      const calls = [promise.add(1)]
      await network.turn('a')
      calls.push(promise.add(2))
      await network.turn('a')
      calls.push(promise.add(3))
      using log = await promise
      calls.push(log.add(4), promise.add(5))
      await Promise.all(calls)
      expect(vatA.log.entries).toEqual([1, 2, 3, 4, 5])
      disposeAll(promise)
    })
  })

  test('is called on before and after, when its results come some time later', async () => {
    await explore(async (network) => {
      using all = vats(network)
      const { main, vatA } = all
      const promise = main.logLaterOf()
      const calls = [promise.add(1)]
      await network.turn('main')
      calls.push(promise.add(2))
      using log = await promise
      calls.push(log.add(3), promise.add(4))
      await Promise.all(calls)
      expect(vatA.log.entries).toEqual([1, 2, 3, 4])
      disposeAll(promise)
    })
  })

  test('is canceled, whenever', async () => {
    await explore(async (network) => {
      using all = vats(network)
      const { main } = all
      const promise = main.logLaterOf()
      const call = promise.add(1)
      await network.turn('main')
      disposeAll(call)
      await network.turn('main')
      disposeAll(promise)
    })
  })

  test('of a tail call, and so on', async () => {
    await explore(async (network) => {
      using all = vats(network)
      const { main } = all
      const calls = [3, 4].map((depth) => main.countDown(depth))
      expect(await Promise.all(calls)).toEqual(['done', 'done'])
    })
  })

  test('that fails tells the first caller', async () => {
    await explore(async (network) => {
      using all = vats(network)
      const { main } = all
      await expect(Promise.resolve(main.failOf())).rejects.toMatchObject({
        message: 'as asked',
        cause: { name: 'TypeError' },
      })
    })
  })

  test('with arguments of the first caller’s', async () => {
    await explore(async (network) => {
      using all = vats(network)
      const { main } = all
      const log = network.watch(new Log(), 'argument')
      using mine = new RpcStub(log)
      const calls = [main.use(mine, 1), main.use(mine, 2)]
      await Promise.all(calls)
      expect(log.entries).toEqual([1, 2])
    })
  })

  test('brings the results if the method keeps them too', async () => {
    await explore(async (network) => {
      using all = vats(network)
      const { main, vatA, vatB } = all
      const promise = main.logAndKeep()
      const calls = [promise.add(1)]
      using log = await promise
      calls.push(log.add(2))
      using kept = await (vatB.kept as PromiseLike<RpcStub<Log>> & Disposable)
      calls.push(kept.add(3))
      await Promise.all(calls)
      expect(vatA.log.entries.filter((entry) => entry !== 3)).toEqual([1, 2])
      disposeAll(promise, vatB.kept as Disposable)
    })
  })
})

function first(): number {
  return 0
}

/** Vat b turns to vat a for everything that a asks of it. */
function vats(network: Network) {
  const vatA = new Asked(network, 'a')
  const vatB = new Forwarder()
  network.watch(vatB, 'vat b')
  const [a, b] = network.connect('a', vatA, 'b', vatB)
  vatB.other = b.main<Asked>()
  vatA.other = a.main<Forwarder>()
  const main = a.main<Forwarder>()
  const { other: atA } = vatB
  const { other: atB } = vatA
  return { main, vatA, vatB, [Symbol.dispose]: () => disposeAll(main, atA, atB) }
}

class Asked extends Vat {
  called = 0
  other: RpcStub<Forwarder> | undefined

  override echo<T>(value: T): T {
    this.called++
    return value
  }

  countDown(depth: number): unknown {
    return depth === 0 ? 'done' : (this.other as RpcStub<Forwarder>).countDown(depth - 1)
  }
}

class Forwarder extends Watched {
  other: RpcStub<Asked> | undefined
  kept: unknown

  get #other(): RpcStub<Asked> {
    return this.other as RpcStub<Asked>
  }

  echoOf(value: string) {
    return this.#other.echo(value)
  }

  logOf() {
    return this.#other.getLog()
  }

  logLaterOf() {
    return this.#other.getLogLater()
  }

  logAndKeep() {
    const promise = this.#other.getLog()
    this.kept = promise.dup()
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
