/**
 * KeptDescriptors: what came with capabilities and is the connection's to close: with a call until it has been answered, with
 * results until the connection's end.
 */
import type { Descriptor } from '../../stream/index.js'
import { CallDescriptors } from '../link/call-descriptors.js'
import type { Incoming } from './attached.js'

export class KeptDescriptors {
  /** By the question's id. */
  readonly #ofCalls = new CallDescriptors<number>()
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
    return !this.#ofCalls.empty
  }

  closeCall(question: number): void {
    this.#ofCalls.end(question)
  }

  closeAll(): void {
    this.#ofCalls.endAll()
    for (const descriptor of this.#ofResults) descriptor.close()
    this.#ofResults.clear()
  }

  #keep(descriptor: Descriptor, question: number | undefined): void {
    if (question !== undefined) {
      this.#ofCalls.add(question, [descriptor])
      return
    }
    this.#ofResults.add(descriptor)
    if (this.#ofResults.size < this.#prunedFrom) return
    for (const kept of this.#ofResults) if (kept.closed) this.#ofResults.delete(kept)
    this.#prunedFrom = 64 + 2 * this.#ofResults.size
  }
}
