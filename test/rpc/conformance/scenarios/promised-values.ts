/**
 * Promises as values: an argument, or a part of a result, that is promised arrives as what it comes to; and functions that
 * are run where the values are (`map`).
 */
import assert from 'node:assert/strict'
import { fstatSync } from 'node:fs'
import { RpcStub } from '../../../../src/rpc/index.js'
import { Descriptor } from '../../../../src/stream/index.js'
import { type Place, role, type Scenario, two } from '../../support/place.js'
import { disposeAll, Log, Watched } from '../../support/vats.js'
import { logAt } from './vats.js'

type Server = InstanceType<typeof Serving>

export const promisedValues: readonly Scenario[] = [
  values('a promised argument: deep in one, and twice in one', async (place, b) => {
    using number = b.later(4)
    using item = b.itemLater()
    await place.step()
    const same = b.same([number, { deep: item.size, again: item.size }, number])
    assert.deepEqual(await same, [4, { deep: 7, again: 7 }, 4])
  }),

  values('a promised argument: the vat’s own, from a promise of its peer’s', async (place, b) => {
    using mine = new RpcStub(logAt(place, 3))
    using promise = b.later(mine as never)
    await place.step()
    assert.equal(await b.addTo(promise as never, 3), 3)
  }),

  values('a promised result: in a result, whose own promise it is', async (place, b) => {
    const wrapped = b.wrapped()
    const deep = wrapped.inner.size
    assert.equal(await deep, 7)
    await place.step()
    using whole = await wrapped
    assert.deepEqual(whole.inner, { size: 7, name: 'item' })
    disposeAll(wrapped)
  }),

  values('a promised argument: it fails the call whose argument it is, and nothing else', async (place, b) => {
    using failing = b.fail()
    using fine = b.later(1)
    using log = new RpcStub(place.watch(new Log(), 'log'))
    const call = b.same([fine, failing, log])
    place.calls.push(call)
    await place.step()
    await assert.rejects(Promise.resolve(call), /as asked|connection|session/)
    assert.equal(await b.same(5), 5)
  }),

  values('a promised argument: it is let go of with the call that it is an argument of', async (place, b) => {
    const number = b.later(4)
    const never = b.forever()
    const call = b.same([number, never] as never)
    await place.step()
    disposeAll(number, never)
    await place.step()
    disposeAll(call)
  }),

  values('descriptors: in results that are promised, each of which has an owner', async (place, b) => {
    using file = b.open()
    const size = b.sizeOf(file.file as never)
    place.calls.push(size)
    await place.step()
    using whole = await file
    assert.equal(fstatSync(whole.file.fd).size, 5)
    assert.equal(await size, 5)
    assert.equal(await file.name, 'hello')
  }),

  values('descriptors: in a call that is canceled, and in results that nobody takes', async (place, b) => {
    const opened = b.open()
    using mine = Descriptor.memfd(new TextEncoder().encode('mine'))
    const size = b.sizeOfLater(mine)
    await place.step()
    disposeAll(opened)
    await place.step()
    disposeAll(size)
  }),

  values('map: calls elements, what it has captured, and what that gives', async (place, b) => {
    using mine = new RpcStub(place.watch(new Log(), 'log'))
    using items = b.items()
    const mapped = items.map((item) => ({ size: item.size, added: (mine as unknown as Items).add(item.size) }))
    await place.step()
    using result = (await mapped) as unknown as Disposable
    assert.deepEqual(JSON.stringify(result), JSON.stringify([1, 2].map((size) => ({ size, added: size }))))
    disposeAll(mapped)
  }),

  values('map: it is canceled, and leaves nothing', async (place, b) => {
    using mine = new RpcStub(place.watch(new Log(), 'log'))
    const items = b.items()
    const mapped = items.map((item) => (mine as unknown as Items).add(item.size))
    await place.step()
    disposeAll(mapped)
    await place.step()
    disposeAll(items)
  }),

  values('map: it is canceled while what it calls never returns', async (place, b) => {
    using mine = new RpcStub(place.watch(new Serving(place), 'of a'))
    const items = b.items()
    const mapped = items.map(() => mine.forever())
    await place.step()
    disposeAll(mapped, items)
  }),

  values('map: it fails with one of its calls', async (place, b) => {
    using items = b.items()
    const mapped = items.map(() => b.fail())
    place.calls.push(mapped)
    await place.step()
    await assert.rejects(Promise.resolve(mapped), /as asked|connection|session/)
  }),
]

interface Items {
  add(entry: unknown): unknown
}

function values(name: string, run: (place: Place, b: RpcStub<Server>) => Promise<void>): Scenario {
  return two(
    name,
    async (place: Place) => {
      using b = place.main<Server>('b')
      await run(place, b)
    },
    role((place) => place.watch(new Serving(place), 'server')),
  )
}

interface Item {
  size: number
  name: string
}

class Serving extends Watched {
  readonly #place: Place
  readonly #inner: RpcStub<() => Promise<Item>>

  constructor(place: Place) {
    super()
    this.#place = place
    this.#inner = new RpcStub(async () => {
      await place.step()
      return { size: 7, name: 'item' }
    })
  }

  async later<T>(value: T): Promise<T> {
    const kept = value instanceof RpcStub ? ((value as unknown as RpcStub<Log>).dup() as T) : value
    await this.#place.step()
    return kept
  }

  async itemLater(): Promise<Item> {
    await this.#place.step()
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
    return [1, 2].map((size) => ({ size, name: `item ${size}` }))
  }

  open(): { file: Descriptor; name: string } {
    return { file: Descriptor.memfd(new TextEncoder().encode('hello')), name: 'hello' }
  }

  sizeOf(file: Descriptor): number {
    return fstatSync(file.fd).size
  }

  async sizeOfLater(file: Descriptor): Promise<number> {
    await this.#place.step()
    return file.closed ? 0 : fstatSync(file.fd).size
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
