/**
 * Calls on one capability arrive in the order in which they are made, however they get there, whenever messages arrive
 * (rpc.capnp: E-order, promise pipelining, *Disembargo*).
 */
import { describe, expect, test, vi } from 'vitest'
import { RpcStub } from '../../../src/rpc/index.js'
import { explore } from '../support/explore.js'
import { promised } from '../support/promised.js'
import { Log, Vat } from '../support/vats.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: 120_000 })

describe('Calls arrive in order, whenever messages arrive,', () => {
  test('on a capability, on the promise of it, and on what that has become', async () => {
    await explore(async (network) => {
      const vat = new Vat(network, 'b')
      const [a] = network.connect('a', {}, 'b', vat)
      using main = a.main<Vat>()
      using promise = main.getLogLater()
      const calls = [promise.add(1), promise.add(2)]
      await network.turn('a')
      calls.push(promise.add(3))
      using log = await promise
      calls.push(log.add(4), promise.add(5))
      expect(await Promise.all(calls)).toEqual([1, 2, 3, 4, 5])
      expect(vat.log.entries).toEqual([1, 2, 3, 4, 5])
    })
  })

  test('by properties and indexes of what is promised', async () => {
    await explore(async (network) => {
      const log = network.watch(new Log(), 'log')
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      using kept = new RpcStub(log)
      using promise = main.wrapLater(kept)
      const calls = [promise.list[0].deep.add(1), promise.list[0].deep.add(2)]
      await network.turn('a')
      calls.push(promise.list[0].deep.add(3))
      using wrapped = await promise
      calls.push(wrapped.list[0].deep.add(4), promise.list[0].deep.add(5))
      await Promise.all(calls)
      expect(log.entries).toEqual([1, 2, 3, 4, 5])
    })
  })

  test('when what is promised turns out to be the caller’s own', async () => {
    await explore(async (network) => {
      const log = network.watch(new Log(), 'log')
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      using mine = new RpcStub(log)
      using promise = main.echoLater(mine)
      const calls = [promise.add(1), promise.add(2)]
      await network.turn('a')
      calls.push(promise.add(3))
      using home = await promise
      calls.push(home.add(4), promise.add(5))
      await Promise.all(calls)
      calls.push(home.add(6))
      await Promise.all(calls)
      expect(log.entries).toEqual([1, 2, 3, 4, 5, 6])
    })
  })

  test('when the caller’s own comes back twice in one result', async () => {
    await explore(async (network) => {
      const log = network.watch(new Log(), 'log')
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      using mine = new RpcStub(log)
      using promise = main.wrapLater(mine)
      const calls = [promise.list[0].deep.add(1)]
      using wrapped = await promise
      calls.push(wrapped.list[0].deep.add(2))
      await Promise.all(calls)
      expect(log.entries).toEqual([1, 2])
    })
  })

  test('when a promise that was passed turns out to be its receiver’s own (Resolve to receiverHosted)', async () => {
    await explore(async (network) => {
      const log = network.watch(new Log(), 'log')
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      using mine = new RpcStub(log)
      using promise = await main.later(mine)
      const calls = [promise.add(1), promise.add(2)]
      await network.turn('a')
      calls.push(promise.add(3))
      await network.turn('a')
      calls.push(promise.add(4))
      await Promise.all(calls)
      calls.push(promise.add(5))
      await Promise.all(calls)
      expect(log.entries).toEqual([1, 2, 3, 4, 5])
    })
  })

  test('when a promise that was passed turns out to be its sender’s own', async () => {
    await explore(async (network) => {
      const vat = new Vat(network, 'b')
      const [a] = network.connect('a', {}, 'b', vat)
      using main = a.main<Vat>()
      using log = await main.getLog()
      using promise = await main.later(log)
      const calls = [promise.add(1), promise.add(2)]
      await network.turn('a')
      calls.push(promise.add(3), log.add(4))
      await Promise.all(calls)
      calls.push(promise.add(5))
      await Promise.all(calls)
      expect(vat.log.entries.filter((entry) => entry !== 4)).toEqual([1, 2, 3, 5])
    })
  })

  test('along a chain of promises, each of which is resolved to the next', async () => {
    await explore(async (network) => {
      const log = network.watch(new Log(), 'log')
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      using mine = new RpcStub(log)
      using first = await main.later(mine)
      using second = await main.later(first)
      const calls = [second.add(1)]
      await network.turn('a')
      calls.push(second.add(2))
      await Promise.all(calls)
      calls.push(second.add(3))
      await Promise.all(calls)
      expect(log.entries).toEqual([1, 2, 3])
    })
  })

  // rpc.capnp, Resolve: what was sent to a promise goes on to what it was resolved to, and no further.
  test('when promises of two vats are resolved to one another’s (the Tribble 4-way race)', async () => {
    await explore(async (network) => {
      const carol = network.watch(new Log(), 'carol')
      const vatB = new Vat(network, 'b')
      const [a] = network.connect('a', {}, 'b', vatB)
      using atB = a.main<Vat>()
      using ofA = new RpcStub(carol)
      // A promise of b's, held by a, which will be carol, of a.
      using ofB = await atB.later(ofA)
      // A promise of a's, held by b, which will be the promise of b's.
      const { stub, resolve } = promised<Log>()
      await atB.keep(stub)
      stub[Symbol.dispose]()
      using held = vatB.takeKept()
      const calls = [held.add(1)]
      resolve(ofB.dup())
      calls.push(held.add(2))
      await network.turn('a')
      calls.push(held.add(3))
      await network.turn('a')
      calls.push(held.add(4))
      await Promise.all(calls)
      await held.add(5)
      expect(carol.entries).toEqual([1, 2, 3, 4, 5])
    })
  })
})
