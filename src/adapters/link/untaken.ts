/**
 * Untaken: received descriptors until somebody takes them, by the call that they came with; and how many they may be.
 * Knows no message.
 */
import { RpcError } from '../../rpc/index.js'
import type { Descriptor } from '../../stream/index.js'
import { closeAll } from './unwanted.js'

const leavings = new WeakMap<Descriptor, () => void>()

/** The descriptor is somebody's from now on, and no longer closed here. */
export function taken(descriptor: Descriptor): void {
  leavings.get(descriptor)?.()
  leavings.delete(descriptor)
}

export interface UntakenOptions {
  /**
   * Received descriptors that nobody has taken or closed yet, of calls that are not over above all. With more a call fails
   * by an RpcError of type `overloaded`, where the adapter can let it fail alone; else the connection ends. Default 1,024.
   */
  readonly maxUntaken?: number
}

export class Untaken<Call = number> {
  readonly #max: number
  readonly #byCall = new Map<Call, Set<Descriptor>>()
  #count = 0

  constructor(max = 1024) {
    this.#max = max
  }

  /** Whether the call came with some that nobody has taken yet. */
  has(call: Call): boolean {
    return this.#byCall.has(call)
  }

  /** Owns them until they are taken. Throws RpcError where that would be too many, and has closed them. */
  add(call: Call, descriptors: readonly Descriptor[]): void {
    if (descriptors.length === 0) return
    if (this.#count + descriptors.length > this.#max) this.#forgetClosed()
    if (this.#count + descriptors.length > this.#max) {
      closeAll(descriptors)
      throw new RpcError('overloaded', `more than ${this.#max} descriptors that nobody takes (maxUntaken)`)
    }
    const held = this.#byCall.get(call) ?? new Set()
    this.#byCall.set(call, held)
    for (const descriptor of descriptors) {
      held.add(descriptor)
      leavings.set(descriptor, () => this.#leave(call, descriptor))
    }
    this.#count += descriptors.length
  }

  /** Closes those of a call that is over. */
  close(call: Call): void {
    const held = this.#byCall.get(call)
    if (held === undefined) return
    for (const descriptor of held) {
      descriptor.close()
      taken(descriptor)
    }
  }

  closeAll(): void {
    for (const call of [...this.#byCall.keys()]) this.close(call)
  }

  #leave(call: Call, descriptor: Descriptor): void {
    const held = this.#byCall.get(call)
    if (held?.delete(descriptor) !== true) return
    this.#count--
    if (held.size === 0) this.#byCall.delete(call)
  }

  /** Somebody has closed them without a word. */
  #forgetClosed(): void {
    for (const held of [...this.#byCall.values()]) {
      for (const descriptor of held) if (descriptor.closed) taken(descriptor)
    }
  }
}
