/**
 * What came by one session goes on by another: it is proxied, with all that this needs of order; and what comes home is
 * called at home.
 */
import { describe, expect, test, vi } from 'vitest'
import { RpcStub } from '../../../src/rpc/index.js'
import { explore, once } from '../support/explore.js'
import type { Network } from '../support/network.js'
import { disposeAll, Log, Vat } from '../support/vats.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: 120_000 })

/** a – b – c: b is between. */
function chain(network: Network) {
  const vats = { a: new Vat(network, 'a'), b: new Vat(network, 'b'), c: new Vat(network, 'c') }
  const [ab] = network.connect('a', vats.a, 'b', vats.b)
  const [bc] = network.connect('b', vats.b, 'c', vats.c)
  const toB = ab.main<Vat>()
  const toC = bc.main<Vat>()
  return { vats, toB, toC, [Symbol.dispose]: () => disposeAll(toB, toC) }
}

describe('A capability that came by one session and goes on by another', () => {
  test('is called through the vat between, in order, before and after it is known', async () => {
    await explore(async (network) => {
      using all = chain(network)
      const { vats, toB, toC } = all
      // b gives a what c will give it.
      await toB.keep(toC as never)
      using c = toB.takeKept() as unknown as RpcStub<Vat>
      using log = c.getLogLater()
      const calls = [log.add(1), log.add(2)]
      await network.turn('a')
      calls.push(log.add(3))
      using known = await log
      calls.push(known.add(4), log.add(5))
      await Promise.all(calls)
      expect(vats.c.log.entries).toEqual([1, 2, 3, 4, 5])
    })
  })

  test('and turns out to be the first caller’s own: calls through both sessions keep their order', async () => {
    await explore(async (network) => {
      using all = chain(network)
      const { toB, toC } = all
      const log = network.watch(new Log(), 'log of a')
      await toB.keep(toC as never)
      using c = toB.takeKept() as unknown as RpcStub<Vat>
      using mine = new RpcStub(log)
      using promise = c.echoLater(mine)
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

  test('and turns out to be the vat’s between: the way gets shorter, and calls keep their order', async () => {
    await explore(async (network) => {
      using all = chain(network)
      const { vats, toB, toC } = all
      await toB.keep(toC as never)
      using c = toB.takeKept() as unknown as RpcStub<Vat>
      using ofB = await toB.getLog()
      using promise = c.echoLater(ofB)
      const calls = [promise.add(1), promise.add(2)]
      await network.turn('a')
      calls.push(promise.add(3))
      using home = await promise
      calls.push(home.add(4), promise.add(5))
      await Promise.all(calls)
      expect(vats.b.log.entries).toEqual([1, 2, 3, 4, 5])
    })
  })

  test('as a promise is told of through the vat between, when it is resolved', async () => {
    await explore(async (network) => {
      using all = chain(network)
      const { vats, toB, toC } = all
      const log = network.watch(new Log(), 'log of a')
      using mine = new RpcStub(log)
      await toB.keep(toC as never)
      using c = toB.takeKept() as unknown as RpcStub<Vat>
      using ofC = await c.getLog()
      for (const stub of [mine, ofC]) {
        using promise = await c.later(stub)
        const calls = [promise.add(1)]
        await network.turn('a')
        calls.push(promise.add(2))
        await Promise.all(calls)
        calls.push(promise.add(3))
        await Promise.all(calls)
      }
      expect(log.entries).toEqual([1, 2, 3])
      expect(vats.c.log.entries).toEqual([1, 2, 3])
    })
  })

  test('comes home and is called there, without a message', async () => {
    await once(
      async (network) => {
        using all = chain(network)
        const { toB, toC } = all
        await toB.keep(toC as never)
        using c = (await toB.takeKept()) as unknown as RpcStub<Vat>
        using mine = new RpcStub(network.watch(new Log(), 'log of a'))
        for (const far of [toB, c]) {
          using home = (await far.echo(mine)) as RpcStub<Log>
          await network.turn('a')
          const before = network.sent.length
          expect(await home.add(1)).toBe(1)
          expect(network.sent.length).toBe(before)
        }
      },
      () => 0,
    )
  })

  test('is released along its whole way', async () => {
    await explore(async (network) => {
      using all = chain(network)
      const { toB, toC } = all
      await toB.keep(toC as never)
      using c = toB.takeKept() as unknown as RpcStub<Vat>
      const log = c.getLog()
      const again = c.echo(log)
      await network.turn('a')
      log[Symbol.dispose]()
      await network.turn('a')
      disposeAll(again)
    })
  })

  test('is broken when the session behind is lost, and the session before goes on', async () => {
    await explore(async (network) => {
      using all = chain(network)
      const { vats, toB, toC } = all
      await toB.keep(toC as never)
      using c = (await toB.takeKept()) as unknown as RpcStub<Vat>
      const log = c.getLogLater()
      const call = Promise.resolve(log.add(1)).catch((error: unknown) => error)
      const outcome = Promise.resolve(log).then(disposeAll, (error: unknown) => error)
      await network.turn('cut')
      network.cut(1)
      for (const error of [await call, await outcome]) {
        expect(error === undefined || error === 1 || (error as { type?: string }).type === 'disconnected').toBe(true)
      }
      log[Symbol.dispose]()
      await expect(Promise.resolve(c.echo(1))).rejects.toMatchObject({ type: 'disconnected' })
      using ofB = await toB.getLog()
      expect(await ofB.add(2)).toBe(2)
      expect(vats.b.log.entries).toEqual([2])
    })
  })
})
