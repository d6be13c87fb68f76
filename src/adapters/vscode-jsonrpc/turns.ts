/**
 * The turns that messages have in the connection, as far as they can be known.
 *
 * vscode-jsonrpc queues what it is given, without a bound, in order. It shows that queue to nobody, forgets it when it is
 * disposed of, and drops messages from it: one of two requests with the same id, what is cancelled in time, the cancelling
 * itself. So a message of ours, a fence, goes into the queue now and then: when that has its turn, all ahead of it had theirs, or
 * never will. Without our message strategy nobody tells turns; then one a turn of the loop is guessed.
 */
import { setImmediate } from '../../event-loop.js'
import type { Descriptor } from '../../stream/index.js'
import { closeAll } from '../link/unwanted.js'
import type { Envelope } from './encoding.js'

/** Messages from one fence to the next, at most. */
const stretch = 256

export interface TurnsParts {
  /** Gives the connection a message of ours. */
  handOver(fence: Envelope): void
  /** Fewer messages wait. */
  onTurn(): void
}

export class Turns {
  readonly #parts: TurnsParts
  #handed = 0
  #gone = 0
  #fenced = 0
  /** What came with messages that wait, in order. */
  readonly #kept = new Map<unknown, { readonly descriptors: readonly Descriptor[]; readonly place: number }>()
  #lastKept = 0
  #descriptors = 0
  #seen = 0
  #guessing = false

  constructor(parts: TurnsParts) {
    this.#parts = parts
  }

  /** Messages that wait; until the next fence has its turn also those that were dropped. */
  get waiting(): number {
    return this.#handed - this.#gone
  }

  /** Descriptors that came with messages that wait, and may have been taken from them. */
  get descriptors(): number {
    return this.#descriptors
  }

  /** How many turns there were that our message strategy was told, those of fences too. */
  get seen(): number {
    return this.#seen
  }

  /** The connection is about to be given a message; until its turn, the descriptors are kept here. */
  add(message: unknown, descriptors: readonly Descriptor[]): void {
    this.#handed++
    if (descriptors.length === 0) return
    this.#kept.set(message, { descriptors, place: this.#handed })
    this.#lastKept = this.#handed
    this.#descriptors += descriptors.length
  }

  /** The message added last was not taken. Closes what came with it. */
  refused(message: unknown): void {
    this.#handed--
    closeAll(this.#take(message))
  }

  /** The connection has been given the message added last. */
  added(): void {
    if (this.#seen > 0 && this.#handed - this.#fenced >= stretch) this.fence()
  }

  /** What came in one wake-up has been added. */
  wakeUpEnded(): void {
    if (this.#seen === 0 || this.#lastKept > this.#fenced) this.fence()
  }

  /** What was added until now will be known to be gone, once it is. */
  fence(): void {
    if (this.waiting === 0) return
    if (this.#seen === 0) this.#guess()
    else if (this.#fenced < this.#handed) {
      this.#fenced = this.#handed
      this.#parts.handOver(new Fence(this.#handed))
    }
  }

  /** Our message strategy is told of a turn. What came with the message is the caller's; undefined for a fence. */
  turn(message: unknown): readonly Descriptor[] | undefined {
    this.#seen++
    if (message instanceof Fence) this.#pass(message.place)
    else if (this.waiting > 0) this.#gone++
    const descriptors = message instanceof Fence ? undefined : this.#take(message)
    this.#parts.onTurn()
    return descriptors
  }

  /** The connection has forgotten what waits. */
  dispose(): void {
    this.#pass(this.#handed)
  }

  /** All up to a place are gone: what is kept of them was dropped. */
  #pass(place: number): void {
    if (place > this.#gone) this.#gone = place
    for (const [message, kept] of this.#kept) {
      if (kept.place > place) break
      closeAll(this.#take(message))
    }
  }

  #take(message: unknown): readonly Descriptor[] {
    if (this.#kept.size === 0) return none
    const descriptors = this.#kept.get(message)?.descriptors ?? none
    this.#kept.delete(message)
    this.#descriptors -= descriptors.length
    return descriptors
  }

  #guess(): void {
    if (this.#guessing) return
    this.#guessing = true
    setImmediate(() => {
      this.#guessing = false
      if (this.#seen === 0) {
        this.#kept.clear() // without our strategy, they are whoever's who got the message
        this.#descriptors = 0
        this.#gone++
        this.#parts.onTurn()
      }
      this.fence()
    })
  }
}

/** A notification, for the connection. */
class Fence implements Envelope {
  readonly jsonrpc = '2.0'
  readonly method = '$/pillion/fence'
  readonly place: number

  constructor(place: number) {
    this.place = place
  }
}

const none: readonly Descriptor[] = Object.freeze([])
