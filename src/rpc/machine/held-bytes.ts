/**
 * HeldBytes: what the peer's calls make this process keep: their arguments until they have ended, what was promised in
 * these, and results until the peer has finished. A bound on their number alone would be worth a whole frame for each.
 *
 * Reading does not pause at the bound: the message that lets a call end may be the next one. What is too much fails its call.
 */
import { RpcError } from '../rpc-error.js'

/** A capability that is referred to; a promise of one is an object. */
const capBytes = 256
/** A descriptor holds a place in a table that is small. */
const descriptorBytes = 16 * 1024
/** What always passes: the number of calls bounds it, and it may be what lets the others end. */
const smallBytes = 1024

/** @param length of the encoded whole */
export function heldBytesOf(length: number, caps: number, descriptors: number): number {
  return length + capBytes * caps + descriptorBytes * descriptors
}

export class HeldBytes {
  readonly #limit: number
  #held = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Takes note of them until `release`. Why not, if it does not: one more comes on top, so that each can pass alone. */
  hold(bytes: number): RpcError | undefined {
    if (this.#held >= this.#limit && bytes > smallBytes) return this.#overloaded()
    this.#held += bytes
    return undefined
  }

  release(bytes: number): void {
    this.#held -= bytes
  }

  #overloaded(): RpcError {
    const message = `calls that are open hold ${this.#held} bytes, the limit is ${this.#limit} (limits.callBytes)`
    return new RpcError('overloaded', message)
  }
}
