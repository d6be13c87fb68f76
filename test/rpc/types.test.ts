/**
 * The types of stubs. Checked by tsc, which reads all tests; what runs here only says so.
 */
import { expect, expectTypeOf, it } from 'vitest'
import { type dial, type RpcPromise, RpcSession, type RpcStub, RpcTarget, withOptions } from '../../src/rpc/index.js'
import { Descriptor } from '../../src/stream/index.js'

interface Point {
  x: number
  y: number
}

class Account extends RpcTarget {
  readonly #secret = 1
  private hidden() {
    return this.#secret
  }
  protected guarded() {
    return this.hidden()
  }
  get balance() {
    return 5
  }
  deposit(amount: number): number {
    return amount + this.guarded()
  }
}

class Api extends RpcTarget {
  readonly accounts = new Map<string, Account>()
  get motd() {
    return 'hello'
  }
  get main(): Account {
    return new Account()
  }
  account(_name: string): Account {
    return new Account()
  }
  async accountLater(_name?: string): Promise<Account> {
    return new Account()
  }
  list(): Account[] {
    return []
  }
  subscribe(_callback: (point: Point, account: Account) => void): () => void {
    return () => {}
  }
  each(_options: { onPoint(point: Point): number; label?: string }): void {}
  echo<T>(value: T): T {
    return value
  }
  data(): { when: Date; big: bigint; set: Set<string>; map: Map<string, Point>; bytes: Uint8Array; maybe?: Point } {
    throw new Error('types alone')
  }
  stream(): ReadableStream<Uint8Array> {
    throw new Error('types alone')
  }
  async *numbers(): AsyncGenerator<number> {}
  open(_path: string): Descriptor {
    throw new Error('types alone')
  }
  openAll(_paths: readonly string[]): { files: Descriptor[]; names: string[] } {
    throw new Error('types alone')
  }
  transfer(_from: Account, _amount: number): void {}
  many(_accounts: Account[]): number {
    return 0
  }
  ids(): number[] {
    return []
  }
  maybe(): Point | undefined {
    return undefined
  }
  rest(..._names: string[]): void {}
}

declare const api: RpcStub<Api>

/** Never run: types alone. */
async function checks(): Promise<void> {
  // Methods: plain results, promised ones, generic ones.
  expectTypeOf(await api.account('a').deposit(5)).toEqualTypeOf<number>()
  expectTypeOf(await api.accountLater().deposit(5)).toEqualTypeOf<number>()
  expectTypeOf(await api.motd).toEqualTypeOf<string>()
  expectTypeOf(await api.main.balance).toEqualTypeOf<number>()
  expectTypeOf(await api.rest('a', 'b')).toEqualTypeOf<void>()
  // @ts-expect-error a number is no name
  api.account(5)
  // @ts-expect-error there is no such method
  api.nothing()
  // @ts-expect-error private
  api.account('a').hidden()
  // @ts-expect-error protected
  api.account('a').guarded()

  // Objects by reference arrive as stubs, which are owned.
  using account = await api.account('a')
  expectTypeOf(account).toEqualTypeOf<RpcStub<Account>>()
  expectTypeOf(account.deposit(5)).toEqualTypeOf<RpcPromise<number>>()
  expectTypeOf(account.dup()).toEqualTypeOf<RpcStub<Account>>()
  using list = await api.list()
  expectTypeOf(list[0] as (typeof list)[number]).toEqualTypeOf<RpcStub<Account>>()
  expectTypeOf(await (api.list()[0] as RpcPromise<Account>).deposit(1)).toEqualTypeOf<number>()

  // Stubs and promises stand for what they are stubs and promises of.
  api.transfer(account, 5)
  api.transfer(api.account('b'), 5)
  api.transfer(new Account(), 5)
  api.many([account, new Account(), api.main])
  // @ts-expect-error another class
  api.transfer(api, 5)

  // Functions are typed by their context, parameters as they arrive.
  using stop = await api.subscribe((point, from) => {
    expectTypeOf(point).toEqualTypeOf<Point>()
    expectTypeOf(from.deposit(point.x)).toEqualTypeOf<RpcPromise<number>>()
  })
  expectTypeOf(await stop()).toEqualTypeOf<void>()
  api.each({
    onPoint(point) {
      expectTypeOf(point).toEqualTypeOf<Point>()
      return point.x
    },
  })
  api.each({ onPoint: async (point) => point.y })
  // @ts-expect-error returns something else
  api.each({ onPoint: () => 'text' })
  // @ts-expect-error what arrives is a stub, whose calls are promised
  api.subscribe((_point, from: Account) => from.balance)
  api.subscribe(() => 5) // nobody looks at what it returns
  api.subscribe(stop)

  // Data stays what it is.
  using data = await api.data()
  expectTypeOf(data.when).toEqualTypeOf<Date>()
  expectTypeOf(data.big).toEqualTypeOf<bigint>()
  expectTypeOf(data.set).toEqualTypeOf<Set<string>>()
  expectTypeOf(data.map).toEqualTypeOf<Map<string, Point>>()
  expectTypeOf(data.bytes).toEqualTypeOf<Uint8Array>()
  expectTypeOf(data.maybe).toEqualTypeOf<Point | undefined>()
  expectTypeOf(await api.data().when).toEqualTypeOf<Date>()
  expectTypeOf(await api.data().maybe).toEqualTypeOf<(Point & Disposable) | undefined>()
  expectTypeOf(await api.echo(5)).toBeUnknown() // what a type parameter stands for is not known behind a stub
  expectTypeOf(await api.stream()).toEqualTypeOf<ReadableStream<Uint8Array>>()
  for await (const number of await api.numbers()) expectTypeOf(number).toEqualTypeOf<number>()

  // Descriptors.
  using file = await api.open('/x')
  expectTypeOf(file).toEqualTypeOf<Descriptor>()
  using opened = await api.openAll(['/x'])
  expectTypeOf(opened.files).toEqualTypeOf<Descriptor[]>()
  expectTypeOf(opened.names).toEqualTypeOf<string[]>()

  // map: the function sees a stand-in.
  expectTypeOf(await api.ids().map((id) => id)).toExtend<number[]>()
  expectTypeOf(await api.ids().map((id) => api.account('a').deposit(id))).toExtend<number[]>()
  expectTypeOf(await api.maybe().map((point) => point.x)).toExtend<number | undefined>()

  // A promise is a promise.
  expectTypeOf(api.motd).toExtend<PromiseLike<string>>()
  expectTypeOf(await Promise.all([api.motd, api.ids()])).toExtend<[string, number[]]>()
  const first: Promise<number> = api.account('a').deposit(1)
  expectTypeOf(first).toExtend<Promise<number>>()

  // What is made of stubs keeps its type.
  expectTypeOf(withOptions(api, { timeout: 5 })).toEqualTypeOf<RpcStub<Api>>()
  expectTypeOf(withOptions(api.motd, { timeout: 5 })).toEqualTypeOf<typeof api.motd>()
  expectTypeOf<Awaited<ReturnType<typeof dial<Api>>>>().toEqualTypeOf<RpcStub<Api>>()
  expectTypeOf<RpcSession<Api>['getRemoteMain']>().returns.toEqualTypeOf<RpcStub<Api>>()

  // Interfaces without a class, and functions, do as well.
  interface Remote {
    add(a: number, b: number): number
    nested: { deep(): string }
  }
  const remote = {} as RpcStub<Remote>
  expectTypeOf(await remote.add(1, 2)).toEqualTypeOf<number>()
  expectTypeOf(await remote.nested.deep()).toEqualTypeOf<string>()
  const add = {} as RpcStub<(a: number, b: number) => number>
  expectTypeOf(await add(1, 2)).toEqualTypeOf<number>()
}

it('is checked by tsc', () => {
  expect(checks).toBeTypeOf('function')
  expect(RpcSession).toBeTypeOf('function')
  expect(Descriptor).toBeTypeOf('function')
})
