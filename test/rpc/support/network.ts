/**
 * Network: vats of one thread whose messages arrive when the test says so. What goes one way between two vats arrives in
 * order; which way delivers next is chosen at each step, and between two deliveries all that is runnable runs.
 *
 * Steps of a program can stand in such a queue too (`turn`), so that they are tried at each moment as well.
 */

import { defaultLimits, MemoryTransport, RpcError, RpcTarget } from '../../../src/rpc/index.js'
import type { Capability } from '../../../src/rpc/machine/capability.js'
import { Connection } from '../../../src/rpc/machine/connection.js'
import type { Message } from '../../../src/rpc/machine/messages.js'
import { rpcSettings } from '../../../src/rpc/options.js'
import { vatOf } from '../../../src/rpc/realm.js'
import { stubOf } from '../../../src/rpc/stubs/proxy.js'
import type { RpcStub } from '../../../src/rpc/stubs/types.js'
import { PillionWire } from '../../../src/rpc/wire/pillion-wire.js'
import { ObservedTransport } from './observed-transport.js'

/** One of several by its number: `choose(3)` is 0, 1 or 2. */
export type Choose = (among: number) => number

export interface Sent {
  /** Names of vats: `a>b`. */
  readonly way: string
  readonly message: Message
}

export class Network {
  readonly #choose: Choose
  readonly #queues = new Map<string, (() => void)[]>()
  readonly #tracked: { readonly name: string; readonly target: Watched }[] = []
  readonly #ends: End[] = []
  readonly #cuts: (() => void)[] = []
  readonly #lost = new Set<number>()
  readonly #atEnd: (() => void)[] = []
  #delivered = 0
  #cutAfter = Number.POSITIVE_INFINITY
  /** All messages, in the order in which they left. */
  readonly sent: Sent[] = []

  constructor(choose: Choose) {
    this.#choose = choose
  }

  /** A session between two vats, each with a main object. */
  connect(a: string, mainA: object, b: string, mainB: object): [End, End] {
    const ways = new Map<MemoryTransport, string>()
    const ends = MemoryTransport.pair({
      schedule: (deliver, to) => this.#enqueue(ways.get(to) as string, deliver),
    })
    ways.set(ends[1], `${a}>${b}`)
    ways.set(ends[0], `${b}>${a}`)
    const record = (way: string) => (message: Message) => this.sent.push({ way, message })
    const observed = [
      new ObservedTransport(ends[0], record(`${a}>${b}`)),
      new ObservedTransport(ends[1], record(`${b}>${a}`)),
    ] as const
    const made: [End, End] = [new End(`${a}-${b}`, observed[0], mainA), new End(`${b}-${a}`, observed[1], mainB)]
    this.#ends.push(...made)
    this.#cuts.push(() => {
      for (const transport of observed) transport.cut()
    })
    for (const main of [mainA, mainB]) if (main instanceof Watched) this.watch(main, 'main')
    return made
  }

  /** It has to be disposed of exactly once by the end. */
  watch<T extends Watched>(target: T, name: string): T {
    if (!this.#tracked.some((tracked) => tracked.target === target)) this.#tracked.push({ name, target })
    return target
  }

  /** A moment that is chosen as those of the messages' arrivals are; one after the other for each name. */
  turn(name: string): Promise<void> {
    return new Promise((resolve) => this.#enqueue(name, resolve))
  }

  /** To be looked at when all messages have arrived. */
  atEnd(check: () => void): void {
    this.#atEnd.push(check)
  }

  /** One connection is lost, by its number. */
  cut(connection: number): void {
    this.#lost.add(connection)
    this.#cuts[connection]?.()
  }

  /** All connections are lost after so many deliveries. */
  cutAfter(deliveries: number): void {
    this.#cutAfter = deliveries
  }

  get delivered(): number {
    return this.#delivered
  }

  /** Delivers until nothing is under way. */
  async settle(): Promise<void> {
    await quiet()
    for (;;) {
      if (this.#delivered === this.#cutAfter) {
        this.#delivered++
        for (const connection of this.#cuts.keys()) this.cut(connection)
        await quiet()
      }
      const waiting = [...this.#queues.entries()].filter(([, queue]) => queue.length > 0)
      if (waiting.length === 0) return
      const index = waiting.length === 1 ? 0 : this.#choose(waiting.length)
      const [, queue] = waiting[index] as [string, (() => void)[]]
      this.#delivered++
      queue.shift()?.()
      await quiet()
    }
  }

  /** Runs a program to its end, whatever has to be delivered for that. Throws what it throws, and if it never ends. */
  async run(program: () => Promise<void>): Promise<void> {
    let state: 'running' | 'done' | { readonly error: unknown } = 'running'
    program().then(
      () => {
        state = 'done'
      },
      (error: unknown) => {
        state = { error }
      },
    )
    await this.settle()
    const ended = state as 'running' | 'done' | { readonly error: unknown }
    if (ended === 'running') throw new Error(`the program waits for ever: ${JSON.stringify(this.stats)}`)
    if (ended !== 'done') throw ended.error
  }

  get stats(): Readonly<Record<string, Connection['stats']>> {
    return Object.fromEntries(this.#ends.map(({ name, connection }) => [name, connection.stats]))
  }

  /** Nothing is held by anybody any more, once the mains have been let go of; and each object was disposed of once. */
  async end(): Promise<void> {
    for (const end of this.#ends) end.releaseMain()
    await this.settle()
    for (const check of this.#atEnd) check()
    for (const [name, stats] of Object.entries(this.stats)) {
      for (const [table, size] of Object.entries(stats)) {
        if (size !== 0) throw new Error(`${size} ${table} are left at ${name}: ${JSON.stringify(this.stats)}`)
      }
    }
    for (const [i, { connection }] of this.#ends.entries()) {
      if (connection.failure !== undefined && !this.#lost.has(Math.floor(i / 2))) throw connection.failure
    }
    for (const { connection } of this.#ends) connection.close(new RpcError('disconnected', 'the test is over'))
    await this.settle()
    for (const { name, target } of this.#tracked) {
      if (target.disposals !== 1) throw new Error(`${name} was disposed of ${target.disposals} times`)
    }
  }

  #enqueue(name: string, deliver: () => void): void {
    const queue = this.#queues.get(name)
    if (queue === undefined) this.#queues.set(name, [deliver])
    else queue.push(deliver)
  }
}

/** One vat's end of a session. */
export class End {
  readonly name: string
  readonly connection: Connection
  readonly #vat = vatOf(rpcSettings({}))
  #main: Capability | undefined

  constructor(name: string, transport: ObservedTransport, main: object) {
    this.name = name
    this.connection = new Connection(
      this.#vat,
      transport,
      new PillionWire(),
      this.#vat.hold(main),
      { peer: undefined, publicSession: undefined },
      defaultLimits,
      { onEnd: () => {}, onIdle: () => {} },
    )
    this.connection.start()
  }

  /** A stub of the peer's main object, the caller's own. */
  main<Remote>(): RpcStub<Remote> {
    this.#main ??= this.connection.bootstrap()
    return stubOf(this.#main.addRef(), this.#vat) as RpcStub<Remote>
  }

  releaseMain(): void {
    this.#main?.release()
    this.#main = undefined
  }
}

/** An object whose disposals are counted. */
export class Watched extends RpcTarget {
  disposals = 0;

  [Symbol.dispose](): void {
    this.disposals++
  }
}

/** All that is runnable has run. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
