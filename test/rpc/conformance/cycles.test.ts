/**
 * What would wait for itself: a tail call of what it brings itself, promises that are resolved to one another. It ends with
 * an error at each that waits, whenever messages arrive, and leaves the session as it was.
 */
import { describe, expect, test, vi } from 'vitest'
import type { RpcStub } from '../../../src/rpc/index.js'
import { explore } from '../support/explore.js'
import type { Network } from '../support/network.js'
import { promised } from '../support/promised.js'
import { disposeAll, type Log, Watched } from '../support/vats.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: 120_000 })

const toItself = { code: 'ERR_PILLION_RPC', type: 'failed', message: 'a promise was resolved to itself' }

describe('A tail call that waits for itself ends,', () => {
  test('when its caller answers it by a call on what it brings', async () => {
    await explore(async (network) => {
      const { main, end } = connected(network)
      let inner: Waits | undefined
      const outer = main.callBack((() => {
        inner = (outer as unknown as Waits).add(1)
        return inner
      }) as never)
      await expect(Promise.resolve(outer)).rejects.toMatchObject(toItself)
      expect(await main.same(5)).toBe(5)
      disposeAll(end)
    })
  })

  test('when calls were made on that as well', async () => {
    await explore(async (network) => {
      const { main, end } = connected(network)
      const more: Waits[] = []
      const outer = main.callBack((() => {
        const inner = (outer as unknown as Waits).add(1)
        more.push(inner.add(2))
        return inner
      }) as never)
      more.push((outer as unknown as Waits).add(3))
      await expect(Promise.resolve(outer)).rejects.toMatchObject(toItself)
      for (const call of more) await expect(Promise.resolve(call)).rejects.toMatchObject(toItself)
      expect(await main.same(5)).toBe(5)
      disposeAll(end)
    })
  })
})

describe('Promises that are resolved to one another end,', () => {
  test('each at its own side of a session', async () => {
    await explore(async (network) => {
      const { main, end, server } = connected(network)
      const mine = promised<Log>()
      const other = main.promise()
      await main.keep(mine.stub as never)
      using theirs = await other
      const early = expect(Promise.resolve(theirs.add(1))).rejects.toMatchObject(toItself)
      await network.turn('a')
      mine.resolve(theirs.dup() as never)
      network.turn('b').then(() => server.resolveToKept())
      const late = expect(Promise.resolve(theirs.add(2))).rejects.toMatchObject(toItself)
      await network.turn('a')
      await Promise.all([early, late, expect(Promise.resolve(theirs.add(3))).rejects.toMatchObject(toItself)])
      await expect(Promise.resolve(mine.stub.add(4))).rejects.toMatchObject(toItself)
      expect(await main.same(5)).toBe(5)
      disposeAll(mine.stub, end)
    })
  })

  test('by way of a vat between', async () => {
    await explore(async (network) => {
      const left = network.watch(new Server(), 'left')
      const right = network.watch(new Server(), 'right')
      const [a] = network.connect('m', {}, 'l', left)
      const [b] = network.connect('m', {}, 'r', right)
      using toLeft = a.main<Server>()
      using toRight = b.main<Server>()
      using fromLeft = await toLeft.promise()
      using fromRight = await toRight.promise()
      await Promise.all([toLeft.keep(fromRight as never), toRight.keep(fromLeft as never)])
      const early = [fromLeft.add(1), fromRight.add(1)]
      network.turn('l').then(() => left.resolveToKept())
      network.turn('r').then(() => right.resolveToKept())
      await network.turn('m')
      const late = [fromLeft.add(2), fromRight.add(2)]
      for (const call of [...early, ...late]) await expect(Promise.resolve(call)).rejects.toMatchObject(toItself)
      expect(await toLeft.same(5)).toBe(5)
      expect(await toRight.same(5)).toBe(5)
    })
  })
})

interface Waits extends PromiseLike<unknown>, Disposable {
  add(entry: number): Waits
}

function connected(network: Network) {
  const server = network.watch(new Server(), 'server')
  const [a] = network.connect('a', {}, 'b', server)
  const main = a.main<Server>()
  return { server, main, end: main }
}

class Server extends Watched {
  readonly #promised = promised<Log>()
  #kept: RpcStub<Log> | undefined

  callBack(callback: () => unknown): unknown {
    return callback()
  }

  same(value: unknown): unknown {
    return value
  }

  promise(): RpcStub<Log> {
    return this.#promised.stub.dup() as RpcStub<Log>
  }

  keep(stub: RpcStub<Log>): void {
    this.#kept = stub.dup() as RpcStub<Log>
  }

  resolveToKept(): void {
    this.#promised.resolve(this.#kept as RpcStub<Log>)
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]()
    this.#promised.stub[Symbol.dispose]()
  }
}
