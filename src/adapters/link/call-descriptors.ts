/**
 * CallDescriptors: what calls of the peer's came with. When a call is over it is closed, unless it was taken.
 */
import type { Descriptor } from '../../stream/index.js'
import { closeAll } from './unwanted.js'

export class CallDescriptors<Call> {
  readonly #ofCalls = new Map<Call, Descriptor[]>()

  get empty(): boolean {
    return this.#ofCalls.size === 0
  }

  add(call: Call, descriptors: readonly Descriptor[]): void {
    if (descriptors.length === 0) return
    const known = this.#ofCalls.get(call)
    if (known === undefined) this.#ofCalls.set(call, [...descriptors])
    else known.push(...descriptors)
  }

  /** The call is over. */
  end(call: Call): void {
    const descriptors = this.#ofCalls.get(call)
    if (descriptors === undefined) return
    this.#ofCalls.delete(call)
    closeAll(descriptors)
  }

  endAll(): void {
    for (const call of [...this.#ofCalls.keys()]) this.end(call)
  }
}
