/**
 * What the vats of the conformance tests serve.
 */
import { RpcStub, RpcTarget, type RpcStub as Stub } from '../../../src/rpc/index.js'
import type { Moments } from './place.js'
import { promised } from './promised.js'

/** An object whose disposals are counted. */
export class Watched extends RpcTarget {
  disposals = 0;

  [Symbol.dispose](): void {
    this.disposals++
  }
}

/** Whoever calls it can be seen: what was added, in the order in which it arrived. */
export class Log extends Watched {
  readonly entries: number[] = []

  add(entry: number): number {
    this.entries.push(entry)
    return entry
  }
}

type Any = Stub<Log>

/** Passes things on in all ways that there are. Moments are the network's to choose: `network.turn`. */
export class Vat extends Watched {
  readonly log: Log
  readonly #network: Moments
  readonly #name: string
  readonly #log: Stub<Log>
  readonly #kept: Any[] = []

  constructor(network: Moments, name: string) {
    super()
    this.#network = network
    this.#name = name
    this.log = network.watch(new Log(), `the log of ${name}`)
    this.#log = new RpcStub(this.log)
    network.watch(this, `vat ${name}`)
  }

  getLog(): Stub<Log> {
    return this.#log.dup()
  }

  /** Its own log, some time. */
  async getLogLater(): Promise<Stub<Log>> {
    await this.#network.turn(this.#name)
    return this.#log.dup()
  }

  echo<T>(value: T): T {
    return value
  }

  async echoLater(stub: Any): Promise<Any> {
    const kept = stub.dup()
    await this.#network.turn(this.#name)
    return kept
  }

  /** Deep in a result, twice. */
  async wrapLater(stub: Any): Promise<{ first: Any; list: { deep: Any }[] }> {
    const kept = stub.dup()
    await this.#network.turn(this.#name)
    return { first: kept, list: [{ deep: kept.dup() }] }
  }

  /** At once, a stub of what some time will be `stub`. */
  later(stub: Any): Stub<Log> {
    const { stub: promise, resolve } = promised<Log>()
    const kept = stub.dup()
    this.#network.turn(this.#name).then(() => resolve(kept))
    return promise
  }

  keep(stub: Any): void {
    this.#kept.push(stub.dup())
  }

  /** What was kept first, from now on its taker's. */
  takeKept(): Any {
    const kept = this.#kept.shift()
    if (kept === undefined) throw new Error('nothing is kept')
    return kept
  }

  /** Calls the stub. */
  async use(stub: Any, ...entries: number[]): Promise<number[]> {
    return Promise.all(entries.map((entry) => stub.add(entry)))
  }

  /** Never. */
  forever(): Promise<never> {
    return new Promise(() => {})
  }

  fail(): never {
    throw new TypeError('as asked')
  }

  async failLater(): Promise<never> {
    await this.#network.turn(this.#name)
    throw new TypeError('as asked')
  }

  override [Symbol.dispose](): void {
    super[Symbol.dispose]()
    this.#log[Symbol.dispose]()
    for (const kept of this.#kept) kept[Symbol.dispose]()
  }
}

/** Turns to its caller's vat for what it is asked. */
export class ForwardingVat extends Vat {
  other: Stub<Vat> | undefined

  get entries(): readonly number[] {
    return this.log.entries
  }

  /** A tail call. */
  logOf() {
    return (this.other as Stub<Vat>).getLog()
  }
}

/** Lets go of promises and stubs, whatever has become of them. */
export function disposeAll(...all: readonly Disposable[]): void {
  for (const one of all) one[Symbol.dispose]()
}
