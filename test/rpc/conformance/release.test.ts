/**
 * What is let go of is let go of once, on both sides, whatever crosses on the way (rpc.capnp: Release, Finish, Resolve).
 */
import { describe, expect, test, vi } from 'vitest'
import { RpcStub } from '../../../src/rpc/index.js'
import { explore } from '../support/explore.js'
import { promised } from '../support/promised.js'
import { disposeAll, Log, Vat } from '../support/vats.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: 120_000 })

describe('What is let go of is released once, whenever messages arrive:', () => {
  test('an object that is named again while its release is on the way', async () => {
    await explore(async (network) => {
      const vat = new Vat(network, 'b')
      const [a] = network.connect('a', {}, 'b', vat)
      using main = a.main<Vat>()
      for (let i = 0; i < 3; i++) {
        const log = await main.getLog()
        const again = main.getLog()
        log[Symbol.dispose]()
        using second = await again
        await second.add(i)
      }
      expect(vat.log.entries).toEqual([0, 1, 2])
    })
  })

  test('an object of the caller’s that is passed again while it is being released', async () => {
    await explore(async (network) => {
      const log = network.watch(new Log(), 'log')
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      using mine = new RpcStub(log)
      const calls = [main.use(mine, 1), main.use(mine, 2)]
      await network.turn('a')
      calls.push(main.use(mine, 3))
      await Promise.all(calls)
      expect(log.entries).toEqual([1, 2, 3])
    })
  })

  test('a promise that is resolved while its release is on the way', async () => {
    await explore(async (network) => {
      const vat = new Vat(network, 'b')
      const log = network.watch(new Log(), 'log')
      const [a] = network.connect('a', {}, 'b', vat)
      using main = a.main<Vat>()
      using mine = new RpcStub(log)
      using theirs = await main.getLog()
      for (const stub of [mine, theirs]) {
        const promise = await main.later(stub)
        const call = promise.add(1)
        await network.turn('a')
        disposeAll(promise, call)
      }
    })
  })

  test('a promise that is rejected, before or after it was released', async () => {
    await explore(async (network) => {
      const vat = new Vat(network, 'b')
      const [a] = network.connect('a', {}, 'b', vat)
      using main = a.main<Vat>()
      const { stub, reject } = promised<Log>()
      await main.keep(stub)
      stub[Symbol.dispose]()
      const held = vat.takeKept()
      const call = expect(held.add(1)).rejects.toThrow('it is none')
      await network.turn('a')
      reject('it is none')
      await call
      await network.turn('b')
      await expect(held.add(2)).rejects.toThrow('it is none')
      held[Symbol.dispose]()
    })
  })

  test('an argument that is a promise in the results of the callee’s', async () => {
    await explore(async (network) => {
      const vat = new Vat(network, 'b')
      const [a] = network.connect('a', {}, 'b', vat)
      using main = a.main<Vat>()
      using promise = main.getLogLater()
      const calls = [main.use(promise as never, 1), main.use(promise as never, 2)]
      await Promise.all(calls)
      expect([...vat.log.entries].sort()).toEqual([1, 2])
    })
  })

  test('a result whose promise was asked for it twice, and once after it was disposed of', async () => {
    await explore(async (network) => {
      const vat = new Vat(network, 'b')
      const [a] = network.connect('a', {}, 'b', vat)
      using main = a.main<Vat>()
      using promise = main.getLogLater()
      using second = promise.dup()
      const log = await promise
      const other = await second
      await log.add(1)
      log[Symbol.dispose]()
      await other.add(2)
      other[Symbol.dispose]()
      await expect(promise.add(3).then()).rejects.toThrow('disposed of')
      expect(vat.log.entries).toEqual([1, 2])
    })
  })

  test('an object whose last stub goes while its method runs is disposed of when that has ended', async () => {
    await explore(async (network) => {
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      const seen: number[] = []
      const log = network.watch(
        new (class extends Log {
          override add(entry: number): number {
            seen.push(this.disposals)
            return entry
          }
        })(),
        'log',
      )
      const local = new RpcStub(log)
      await main.echo(0)
      const call = local.add(1)
      const far = main.use(local, 2)
      local[Symbol.dispose]()
      await Promise.all([call, far])
      expect(seen).toEqual([0, 0])
    })
  })
})
