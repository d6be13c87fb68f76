/**
 * The window: how much of a stream may be under way, counted alike at both ends.
 *
 * The reader says how large it is and gives back what it has taken; the source sends while less than that is out. So
 * there is never more between them than the window and the one chunk that filled it (docs/rpc-protocol.md, *Streams*).
 */
import type { Payload } from '../machine/payload.js'
import { RpcError } from '../rpc-error.js'

/** What a chunk takes besides its content, at most places on its way. */
const chunkBytes = 256
/** A descriptor that nobody takes holds a place in a table that is small. */
const descriptorBytes = 16 * 1024

/** What a chunk counts: its encoded size, so that objects count what they are, and what carrying it costs. */
export function weightOf({ length, caps, descriptors, lost }: Payload): number {
  return length + chunkBytes * (1 + caps.length) + descriptorBytes * (descriptors.length + lost)
}

/** The source's end. */
export class SendWindow {
  readonly #size: number
  #out = 0
  #wake: (() => void) | undefined

  /** Throws RpcError for a size that is none: the reader has said it. */
  constructor(size: unknown) {
    if (typeof size !== 'number' || !(size >= 1)) throw refused(`a window of ${String(size)} bytes`)
    this.#size = size
  }

  get open(): boolean {
    return this.#out < this.#size
  }

  sent(weight: number): void {
    this.#out += weight
  }

  /** The reader has taken so much. Throws RpcError for more than there was to take. */
  granted(weight: unknown): void {
    if (!Number.isSafeInteger(weight) || (weight as number) < 0 || (weight as number) > this.#out) {
      throw refused(`${String(weight)} bytes taken, of ${this.#out}`)
    }
    this.#out -= weight as number
    if (this.open) this.wake()
  }

  /** Resolves when it may be open; one waits at a time. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  wake(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

/**
 * The reader's end: tells the source of what was taken, not of every chunk, but before it has to wait. Seldom: the word of it
 * may have to wake the other process, which costs the reader more than many chunks do.
 */
export class ReceiveWindow {
  readonly size: number
  readonly #grant: (weight: number) => void
  #waiting = 0
  #taken = 0

  constructor(size: number, grant: (weight: number) => void) {
    this.size = size
    this.#grant = grant
  }

  /** A chunk has come. False: the source does not keep to the window. */
  received(weight: number): boolean {
    if (this.#waiting + this.#taken >= this.size) return false
    this.#waiting += weight
    return true
  }

  taken(weight: number): void {
    this.#waiting -= weight
    this.#taken += weight
    if (this.#taken * 4 < this.size * 3) return
    const taken = this.#taken
    this.#taken = 0
    this.#grant(taken)
  }
}

function refused(what: string): RpcError {
  return new RpcError('failed', `a stream that cannot be: ${what}`, { origin: 'remote' })
}
