/**
 * Promises as values: an argument, or a part of a result, that is promised arrives as what it comes to; and functions that
 * are run where the values are (`map`).
 */
import { fstatSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { RpcStub } from '../../../src/rpc/index.js'
import { Descriptor } from '../../../src/stream/index.js'
import { explore } from '../support/explore.js'
import { type Network, Watched } from '../support/network.js'
import { disposeAll, Log } from '../support/vats.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: 120_000 })

describe('What is promised arrives as a value, whenever messages arrive:', () => {
  test('as an argument, deep in one, and twice in one', async () => {
    await explore(async (network) => {
      const { main } = connected(network)
      using number = main.later(4)
      using item = main.itemLater()
      const same = main.same([number, { deep: item.size, again: item.size }, number])
      expect(await same).toEqual([4, { deep: 7, again: 7 }, 4])
      disposeAll(main)
    })
  })

  test('as an argument of the vat’s own, from a promise of its peer’s', async () => {
    await explore(async (network) => {
      const { main } = connected(network)
      const log = network.watch(new Log(), 'log')
      using mine = new RpcStub(log)
      using promise = main.later(mine as never)
      expect(await main.addTo(promise as never, 3)).toBe(3)
      expect(log.entries).toEqual([3])
      disposeAll(main)
    })
  })

  test('in a result, whose own promise it is', async () => {
    await explore(async (network) => {
      const { main } = connected(network)
      const wrapped = main.wrapped()
      const deep = wrapped.inner.size
      expect(await deep).toBe(7)
      using whole = await wrapped
      expect(whole.inner).toEqual({ size: 7, name: 'item' })
      disposeAll(wrapped, main)
    })
  })

  test('or fails the call whose argument it is, and nothing else', async () => {
    await explore(async (network) => {
      const { main } = connected(network)
      using failing = main.fail()
      using fine = main.later(1)
      using log = new RpcStub(network.watch(new Log(), 'log'))
      const call = main.same([fine, failing, log])
      await expect(Promise.resolve(call)).rejects.toMatchObject({ message: 'as asked' })
      expect(await main.same(5)).toBe(5)
      disposeAll(main)
    })
  })

  test('or is let go of with the call that it is an argument of', async () => {
    await explore(async (network) => {
      const { main } = connected(network)
      const number = main.later(4)
      const never = main.forever()
      const call = main.same([number, never] as never)
      disposeAll(number, never)
      await network.turn('a')
      disposeAll(call, main)
    })
  })

  test('with descriptors, each of which has an owner', async () => {
    await explore(
      async (network) => {
        const { main } = connected(network)
        using file = main.open()
        const size = main.sizeOf(file.file as never)
        using whole = await file
        expect(fstatSync(whole.file.fd).size).toBe(5)
        expect(await size).toBe(5)
        expect(await file.name).toBe('hello')
        disposeAll(main)
      },
      { most: 100 },
    )
  })
})

describe('A function that is given to map, whenever messages arrive,', () => {
  test('calls elements, what it has captured, and what that gives', async () => {
    await explore(async (network) => {
      const { main } = connected(network)
      const log = network.watch(new Log(), 'log')
      using mine = new RpcStub(log)
      using items = main.items()
      const mapped = items.map((item) => ({ size: item.size, added: (mine as unknown as Items).add(item.size) }))
      expect(await mapped).toEqual([1, 2, 3].map((size) => ({ size, added: size })))
      expect([...log.entries].sort()).toEqual([1, 2, 3])
      disposeAll(mapped, main)
    })
  })

  test('is canceled, and leaves nothing', async () => {
    await explore(async (network) => {
      const { main } = connected(network)
      using mine = new RpcStub(network.watch(new Log(), 'log'))
      const items = main.items()
      const mapped = items.map((item) => (mine as unknown as Items).add(item.size))
      await network.turn('a')
      disposeAll(mapped, items, main)
    })
  })

  test('is canceled while what it calls never returns', async () => {
    await explore(async (network) => {
      const { main } = connected(network)
      const other = network.watch(new Server(network), 'of a')
      using mine = new RpcStub(other)
      const items = main.items()
      const mapped = items.map(() => mine.forever())
      await network.turn('a')
      disposeAll(mapped, items, main)
    })
  })

  test('fails with one of its calls', async () => {
    await explore(async (network) => {
      const { main } = connected(network)
      using items = main.items()
      const mapped = items.map(() => main.fail())
      await expect(Promise.resolve(mapped)).rejects.toMatchObject({ message: 'as asked' })
      disposeAll(main)
    })
  })
})

interface Items {
  add(entry: unknown): unknown
}

function connected(network: Network) {
  const server = network.watch(new Server(network), 'server')
  const [a] = network.connect('a', {}, 'b', server)
  return { server, main: a.main<Server>() }
}

interface Item {
  size: number
  name: string
}

class Server extends Watched {
  readonly #network: Network
  readonly #inner: RpcStub<() => Promise<Item>>

  constructor(network: Network) {
    super()
    this.#network = network
    this.#inner = new RpcStub(async () => {
      await network.turn('b')
      return { size: 7, name: 'item' }
    })
  }

  async later<T>(value: T): Promise<T> {
    const kept = value instanceof RpcStub ? ((value as unknown as RpcStub<Log>).dup() as T) : value
    await this.#network.turn('b')
    return kept
  }

  async itemLater(): Promise<Item> {
    await this.#network.turn('b')
    return { size: 7, name: 'item' }
  }

  /** A promise of its own, in a result. */
  wrapped(): { inner: Item } {
    return { inner: this.#inner() as unknown as Item }
  }

  same(value: unknown): unknown {
    return value
  }

  addTo(log: RpcStub<Log>, entry: number) {
    return log.add(entry)
  }

  items(): Item[] {
    return [1, 2, 3].map((size) => ({ size, name: `item ${size}` }))
  }

  open(): { file: Descriptor; name: string } {
    return { file: Descriptor.memfd(new TextEncoder().encode('hello')), name: 'hello' }
  }

  sizeOf(file: Descriptor): number {
    return fstatSync(file.fd).size
  }

  forever(): Promise<never> {
    return new Promise(() => {})
  }

  fail(): never {
    throw new TypeError('as asked')
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]()
    this.#inner[Symbol.dispose]()
  }
}
