/**
 * KeptDescriptors: what came with capabilities and is the connection's to close: with a call until it has been answered, with
 * results until the connection's end.
 */
import type { Descriptor } from '../../stream/index.js'
import type { Incoming } from './attached.js'

export class KeptDescriptors {
  /** By the question's id. */
  readonly #ofCalls = new Map<number, Descriptor[]>()
  readonly #ofResults = new Set<Descriptor>()
  /** How many it takes to look for those that were taken or closed. */
  #prunedFrom = 64

  /**
   * Gives the capability what came with it.
   * @param question that of the call it came with; undefined: it came with results
   */
  claim(attached: Incoming, index: number, capability: object, question: number | undefined): void {
    const claimed = attached.claim(index, capability)
    if (claimed !== undefined) this.#keep(claimed, question)
  }

  /** Calls have come with some, and have not been answered. */
  get haveCalls(): boolean {
    return this.#ofCalls.size > 0
  }

  closeCall(question: number): void {
    for (const descriptor of this.#ofCalls.get(question) ?? []) descriptor.close()
    this.#ofCalls.delete(question)
  }

  closeAll(): void {
    for (const question of [...this.#ofCalls.keys()]) this.closeCall(question)
    for (const descriptor of this.#ofResults) descriptor.close()
    this.#ofResults.clear()
  }

  #keep(descriptor: Descriptor, question: number | undefined): void {
    if (question !== undefined) {
      const ofCall = this.#ofCalls.get(question)
      if (ofCall === undefined) this.#ofCalls.set(question, [descriptor])
      else ofCall.push(descriptor)
      return
    }
    this.#ofResults.add(descriptor)
    if (this.#ofResults.size < this.#prunedFrom) return
    for (const kept of this.#ofResults) if (kept.closed) this.#ofResults.delete(kept)
    this.#prunedFrom = 64 + 2 * this.#ofResults.size
  }
}
