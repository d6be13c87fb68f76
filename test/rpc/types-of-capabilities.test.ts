/**
 * The types of what is passed: capabilities wherever they may stand, declared as stubs or as what they are stubs of,
 * functions, containers, streams; overloads and type parameters. Checked by tsc, as types.test.ts.
 */
import { expect, expectTypeOf, it } from 'vitest'
import { type RpcPromise, RpcSession, type RpcStub, RpcTarget } from '../../src/rpc/index.js'
import type { Descriptor } from '../../src/stream/index.js'

class Watcher extends RpcTarget {
  readonly #seen: string[] = []
  saw(event: string): number {
    return this.#seen.push(event)
  }
}

class LoudWatcher extends Watcher {
  shout(): void {}
}

/** By interface alone, as a client that has no class knows it. */
interface Listener {
  heard(word: string): void
}

class Ear extends RpcTarget implements Listener {
  heard(_word: string): void {}
}

interface Tree {
  readonly watcher: RpcStub<Watcher>
  readonly children: readonly Tree[]
}

interface Config {
  port: number
  name: string
}

interface Overloaded {
  (key: 'number'): number
  (key: 'text', length?: number): Promise<string>
  (key: 'watcher', template: RpcStub<Watcher>): Watcher
}

class Broker extends RpcTarget {
  readonly #watchers = new Set<RpcStub<Watcher>>()
  register(watcher: RpcStub<Watcher>): void {
    this.#watchers.add(watcher.dup())
    expectTypeOf(watcher.saw('registered')).toEqualTypeOf<RpcPromise<number>>()
  }
  registered(): RpcStub<Watcher> {
    return [...this.#watchers][0]!.dup()
  }
  async registeredLater(): Promise<RpcStub<Watcher>> {
    return this.registered()
  }
  all(): RpcStub<Watcher>[] {
    return []
  }
  listen(_listener: RpcStub<Listener>): void {}
  call(back: RpcStub<(x: number, who: RpcStub<Watcher>) => string>): Promise<string> {
    return back(5, new Watcher())
  }
  plainCall(_back: (x: number) => void, _options?: { done?(watcher: Watcher): boolean }): void {}
  tree(_tree: Tree): void {}
  optional(_watcher?: RpcStub<Watcher>, _name?: string | undefined): void {}
  union(_either: RpcStub<Watcher> | string | { readonly by: RpcStub<Watcher> }): void {}
  tuple(..._pair: readonly [number, RpcStub<Watcher>, ...string[]]): void {}
  maps(_map: Map<string, RpcStub<Watcher>>, _set: Set<Watcher>): void {}
  record(_record: Readonly<Record<string, RpcStub<Watcher>>>): void {}
  readonlyNames(_names: readonly string[], _mutable: string[]): void {}
  streams(_in: ReadableStream<Uint8Array>, _out: WritableStream<string>, _each: AsyncIterable<number>): void {}
  watchers(): ReadableStream<Watcher> {
    throw new Error('types alone')
  }
  files(_file: Descriptor, _more: readonly Descriptor[]): void {}
  get flag(): boolean {
    return true
  }
  pair(): [Watcher, number] {
    return [new Watcher(), 1]
  }
  dup(): number {
    return 1
  }
  geo(): { map(name: string): number } {
    throw new Error('types alone')
  }
  whatever(_value: unknown): unknown {
    return undefined
  }
  async text(name?: string): Promise<string> {
    return name ?? ''
  }
  overloaded(key: 'number'): number
  overloaded(key: 'text', length?: number): Promise<string>
  overloaded(key: string): number | Promise<string> {
    return key === 'number' ? 1 : Promise.resolve('')
  }
  // Type parameters, where the result arrives as it is…
  async setting<K extends keyof Config>(_key: K): Promise<Config[K]> {
    throw new Error('types alone')
  }
  async service<T>(_name: string, _like?: T): Promise<RpcStub<T>> {
    throw new Error('types alone')
  }
  promised<T>(_value: T): RpcPromise<T> {
    throw new Error('types alone')
  }
  // …and where that cannot be told.
  async echo<T>(value: T): Promise<T> {
    return value
  }
  async echoWatcher<T extends Watcher>(watcher: T): Promise<T> {
    return watcher
  }
  now<T extends string>(value: T): T {
    return value
  }
}

declare const broker: RpcStub<Broker>
declare const watcher: RpcStub<Watcher>
declare const promised: RpcPromise<Watcher>
declare const loud: RpcStub<LoudWatcher>

/** Never run: types alone. */
async function parameters(): Promise<void> {
  // A parameter that is a stub takes the object, a stub or a promise of it, of its class or one derived from it.
  for (const given of [new Watcher(), new LoudWatcher()]) broker.register(given)
  broker.register(watcher)
  broker.register(loud)
  broker.register(promised)
  broker.register(broker.registered())
  broker.register(broker.registeredLater())
  broker.register(broker.all()[0]!)
  // @ts-expect-error another class
  broker.register(new Ear())
  // @ts-expect-error a stub of another class
  broker.register(broker)
  // @ts-expect-error a promise of something else
  broker.register(broker.text())
  // @ts-expect-error a base class is not enough
  ;((_: RpcStub<LoudWatcher>) => {})(watcher)

  // An interface will do, for what is passed by reference.
  broker.listen(new Ear())
  broker.listen({} as RpcStub<Ear>)
  // @ts-expect-error passed by value, it would be no stub
  broker.listen({ heard() {} })
  // @ts-expect-error lacks a method
  broker.listen(new Watcher())

  // Functions.
  broker.call((x, who) => {
    expectTypeOf(x).toEqualTypeOf<number>()
    expectTypeOf(who).toEqualTypeOf<RpcStub<Watcher>>()
    return `${x}`
  })
  broker.call(async (x) => `${x}`)
  broker.call({} as RpcStub<(x: number) => string>)
  broker.call({} as RpcPromise<(x: number) => string>)
  // @ts-expect-error returns something else
  broker.call((x) => x)
  // @ts-expect-error takes something else
  broker.call((x: string) => x)
  broker.plainCall((x) => expectTypeOf(x).toEqualTypeOf<number>())
  broker.plainCall(console.log, { done: (seen) => seen.saw('x').then((n) => n > 0) })
  // @ts-expect-error a stub's calls are promised
  broker.plainCall(console.log, { done: (seen: Watcher) => seen.saw('x') > 0 })

  // Inside of other values.
  broker.tree({
    watcher: new Watcher(),
    children: [
      { watcher: promised, children: [] },
      { watcher, children: [] },
    ],
  })
  // @ts-expect-error deep inside, something else
  broker.tree({ watcher, children: [{ watcher: 5, children: [] }] })
  broker.optional()
  broker.optional(undefined, 'x')
  broker.optional(promised)
  broker.union('text')
  broker.union(watcher)
  broker.union({ by: new Watcher() })
  // @ts-expect-error none of them
  broker.union({ by: 'x' })
  broker.tuple(1, promised, 'a', 'b')
  // @ts-expect-error one is missing
  broker.tuple(1)
  broker.maps(new Map([['a', watcher]]), new Set([watcher, loud]))
  broker.maps(new Map([['a', new Watcher()]]), new Set([new Watcher()]))
  // @ts-expect-error a promise's place in a map could not be filled
  broker.maps(new Map([['a', promised]]), new Set())
  broker.record({ a: watcher, b: new Watcher(), c: promised })
  // @ts-expect-error not a watcher
  broker.record({ a: 1 })
  broker.readonlyNames(['a'] as const, ['b'] as const)
  broker.readonlyNames(broker.text().then(() => ['a']) as never, [broker.text()])

  // Streams and descriptors.
  async function* count() {
    yield 1
  }
  broker.streams(new ReadableStream<Uint8Array>(), new WritableStream<string>(), count())
  // @ts-expect-error other values
  broker.streams(new ReadableStream<Uint8Array>(), new WritableStream<string>(), new ReadableStream<string>())
  const file = {} as Descriptor
  broker.files(file, [file, {} as RpcPromise<Descriptor>])
  // @ts-expect-error a number is no descriptor
  broker.files(5, [])
  broker.whatever({ any: ['thing', watcher] })
}

async function results(): Promise<void> {
  expectTypeOf(broker.registered()).toEqualTypeOf<RpcPromise<Watcher>>()
  expectTypeOf(broker.registeredLater()).toEqualTypeOf<RpcPromise<Watcher>>()
  expectTypeOf(await broker.registered()).toEqualTypeOf<RpcStub<Watcher>>()
  expectTypeOf(await broker.registeredLater().saw('x')).toEqualTypeOf<number>()
  using all = await broker.all()
  expectTypeOf(all[0]!).toEqualTypeOf<RpcStub<Watcher>>()
  expectTypeOf(await broker.flag).toEqualTypeOf<boolean>()
  expectTypeOf(await broker.pair()[0].saw('x')).toEqualTypeOf<number>()
  expectTypeOf(await broker.pair()[1]).toEqualTypeOf<number>()
  expectTypeOf(await broker.watchers()).toEqualTypeOf<ReadableStream<RpcStub<Watcher>>>()
  expectTypeOf(broker.dup()).toEqualTypeOf<RpcStub<Broker>>() // the stub's own
  expectTypeOf(await broker.whatever(1)).toBeUnknown()
  const base: RpcStub<Watcher> = loud
  const unknown: RpcStub<unknown> = base
  const promise: RpcPromise<unknown> = broker.text()
  const session: RpcSession<unknown> = {} as RpcSession<Broker>
  void [unknown, promise, session]
  // biome-ignore lint/suspicious/noExplicitAny: that is what is tried
  const untyped = {} as RpcStub<any>
  untyped.whatever.there.may.be(1, 'x')
  // @ts-expect-error nothing is known of it
  unknown.whatever()
}

async function signatures(): Promise<void> {
  expectTypeOf(broker.text('x')).toEqualTypeOf<RpcPromise<string>>()
  expectTypeOf(await broker.overloaded('number')).toEqualTypeOf<number>()
  expectTypeOf(await broker.overloaded('text', 5)).toEqualTypeOf<string>()
  // @ts-expect-error no such overload
  broker.overloaded('else')
  // @ts-expect-error that overload has one parameter
  broker.overloaded('number', 5)
  const overloaded = {} as RpcStub<Overloaded>
  expectTypeOf(await overloaded('number')).toEqualTypeOf<number>()
  expectTypeOf(await overloaded('watcher', new Watcher()).saw('x')).toEqualTypeOf<number>()

  expectTypeOf(await broker.setting('port')).toEqualTypeOf<number>()
  expectTypeOf(await broker.setting('name')).toEqualTypeOf<string>()
  // @ts-expect-error no such setting
  broker.setting('else')
  expectTypeOf(await broker.service<Broker>('broker')).toEqualTypeOf<RpcStub<Broker>>()
  expectTypeOf(broker.promised(new Watcher())).toEqualTypeOf<RpcPromise<Watcher>>()
  expectTypeOf(await broker.promised({ a: 1 }).a).toEqualTypeOf<number>()
  // Whoever says T here may mean something that arrives as a stub, so nothing is promised.
  expectTypeOf(await broker.echo(5)).toBeUnknown()
  expectTypeOf(broker.echoWatcher(loud)).toEqualTypeOf<RpcPromise<Watcher>>()
  expectTypeOf(await broker.now('a')).toEqualTypeOf<string>()
}

it('is checked by tsc', () => {
  for (const checked of [parameters, results, signatures]) expect(checked).toBeTypeOf('function')
  expect(RpcSession).toBeTypeOf('function')
})
