/**
 * Network: vats of one thread whose messages arrive when the test says so. What goes one way between two vats arrives in
 * order; what happens next is chosen at each moment, and between two choices all that is runnable runs.
 *
 * Steps of a vat's own (`turn`) are among the choices. What a vat has seen, and in which order, is noted.
 */

import { MemoryTransport, RpcError } from '../../../src/rpc/index.js'
import type { Connection } from '../../../src/rpc/machine/connection.js'
import type { Message } from '../../../src/rpc/machine/messages.js'
import { End } from './end.js'
import { ObservedTransport } from './observed-transport.js'
import type { Disposed } from './place.js'
import { Watched } from './vats.js'

/** What can happen next: the first of a queue. */
export interface Event {
  readonly queue: string
  /** Whose vat it happens at; undefined: nobody knows, it may matter to each. */
  readonly vat: string | undefined
}

/** A way that nothing is on. */
export interface Silent {
  readonly from: string
  readonly to: string
}

/** One of several by its number. */
export type Choose = (among: readonly Event[], silent: readonly Silent[]) => number

export interface Sent {
  /** Names of vats: `a>b`. */
  readonly way: string
  readonly message: Message
}

export interface NetworkOptions {
  /** All that is on a way arrives at once, as it does when a socket is read: nothing else runs meanwhile. */
  readonly batches?: boolean
}

export class Network {
  readonly #choose: Choose
  readonly #batches: boolean
  readonly #queues = new Map<string, Queue>()
  readonly #ways: (Silent & { readonly name: string })[] = []
  readonly #tracked: { readonly name: string; readonly target: Disposed }[] = []
  readonly #ends: End[] = []
  readonly #cuts: (readonly [ObservedTransport, ObservedTransport])[] = []
  readonly #lost = new Set<number>()
  readonly #atEnd: (() => void)[] = []
  readonly #releases: (() => void)[] = []
  readonly #turns = new Map<string, number>()
  #delivered = 0
  #cutAfter = Number.POSITIVE_INFINITY
  /** All messages, in the order in which they left. */
  readonly sent: Sent[] = []
  /** Described only for those who ask: most runs end well, and nobody does. */
  readonly #happened: Happened[] = []

  constructor(choose: Choose, { batches = false }: NetworkOptions = {}) {
    this.#choose = choose
    this.#batches = batches
  }

  /** A session between two vats, each with a main object. */
  connect(a: string, mainA: object, b: string, mainB: object): [End, End] {
    const ways = new Map<MemoryTransport, { readonly name: string; readonly to: string }>()
    let leaving: Message | undefined
    const ends = MemoryTransport.pair({
      schedule: (deliver, to) => {
        const way = ways.get(to) as { readonly name: string; readonly to: string }
        this.#enqueue(way.name, way.to, deliver, leaving ?? 'end')
        leaving = undefined
      },
    })
    ways.set(ends[1], { name: `${a}>${b}`, to: b })
    ways.set(ends[0], { name: `${b}>${a}`, to: a })
    this.#ways.push({ name: `${a}>${b}`, from: a, to: b }, { name: `${b}>${a}`, from: b, to: a })
    const record = (way: string) => (message: Message) => {
      leaving = message
      this.sent.push({ way, message })
    }
    const observed = [
      new ObservedTransport(ends[0], record(`${a}>${b}`)),
      new ObservedTransport(ends[1], record(`${b}>${a}`)),
    ] as const
    const made: [End, End] = [new End(`${a}-${b}`, observed[0], mainA), new End(`${b}-${a}`, observed[1], mainB)]
    this.#ends.push(...made)
    this.#cuts.push(observed)
    for (const main of [mainA, mainB]) if (main instanceof Watched) this.watch(main, 'main')
    return made
  }

  /** It has to be disposed of exactly once by the end. */
  watch<T extends Disposed>(target: T, name: string): T {
    if (!this.#tracked.some((tracked) => tracked.target === target)) this.#tracked.push({ name, target })
    return target
  }

  /**
   * A moment that is chosen as those of the messages' arrivals are. Several may be waited for at once, and come in any order.
   * @param name of a vat: what follows is that vat's alone. Anything else: it is a moment for everybody.
   */
  turn(name: string): Promise<void> {
    const number = this.#turns.get(name) ?? 0
    this.#turns.set(name, number + 1)
    const vat = this.#ways.some(({ from }) => from === name) ? name : undefined
    return new Promise((resolve) => this.#enqueue(`${name}#${number}`, vat, resolve, 'turn'))
  }

  /** To be let go of when the mains are. */
  atRelease(release: () => void): void {
    this.#releases.push(release)
  }

  /** To be looked at when all messages have arrived. */
  atEnd(check: () => void): void {
    this.#atEnd.push(check)
  }

  /** One connection is lost, by its number: at both ends at once, or at one, and the other hears of it in its turn. */
  cut(connection: number, end?: 0 | 1): void {
    this.#lost.add(connection)
    for (const [i, transport] of this.#cuts[connection]?.entries() ?? []) {
      if (end === undefined || end === i) transport.cut()
    }
  }

  /** All connections are lost after so many deliveries. */
  cutAfter(deliveries: number): void {
    this.#cutAfter = deliveries
  }

  get delivered(): number {
    return this.#delivered
  }

  /** What happened at each vat, in its order. */
  get histories(): ReadonlyMap<string, readonly string[]> {
    const histories = new Map<string, string[]>()
    for (const { name, vat, what } of this.#happened) {
      const seen = `${name} ${typeof what === 'string' ? what : describe(what)}`
      for (const at of vat === undefined ? new Set(this.#ways.map(({ from }) => from)) : [vat]) {
        const history = histories.get(at)
        if (history === undefined) histories.set(at, [seen])
        else history.push(seen)
      }
    }
    return histories
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
      const waiting = [...this.#queues.entries()].map(([queue, { vat }]) => ({ queue, vat }))
      if (waiting.length === 0) return
      const silent = this.#ways.filter(({ name }) => !this.#queues.has(name))
      const event = waiting[this.#choose(waiting, silent)] as Event
      this.#delivered++
      do this.#happen(event.queue)
      while (this.#batches && this.#queues.has(event.queue))
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
    for (const release of this.#releases) release()
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

  #enqueue(name: string, vat: string | undefined, run: () => void, what: Message | string): void {
    const queue = this.#queues.get(name)
    if (queue === undefined) this.#queues.set(name, { vat, waiting: [{ run, what }] })
    else queue.waiting.push({ run, what })
  }

  #happen(name: string): void {
    const { vat, waiting } = this.#queues.get(name) as Queue
    const { run, what } = waiting.shift() as Waiting
    if (waiting.length === 0) this.#queues.delete(name)
    this.#happened.push({ name, vat, what })
    run()
  }
}

interface Queue {
  readonly vat: string | undefined
  readonly waiting: Waiting[]
}

interface Waiting {
  readonly run: () => void
  readonly what: Message | string
}

interface Happened {
  readonly name: string
  /** None: at all of them. */
  readonly vat: string | undefined
  readonly what: Message | string
}

/** A message in a line. */
export function describe(message: object): string {
  return JSON.stringify(message, (key, value: unknown) => {
    if (key === 'content' || key === 'detail' || value === undefined) return undefined
    if (Array.isArray(value) && value.length === 0) return undefined
    return value
  })
}

/** All that is runnable has run. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
