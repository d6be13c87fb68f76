/**
 * KeptDescriptors: what came with capabilities and is the connection's to close: with a call until it has been answered, with
 * results until the connection's end.
 */
import { Untaken } from '../link/untaken.js'
import type { Incoming } from './attached.js'

/** Stands for a question where results came with some. */
const results = -1

export class KeptDescriptors {
  /** By the question's id. */
  readonly #untaken: Untaken

  constructor(maxUntaken: number | undefined) {
    this.#untaken = new Untaken(maxUntaken)
  }

  /**
   * Gives the capability what came with it. Throws RpcError where that is more than may be kept.
   * @param question that of the call it came with; undefined: it came with results
   */
  claim(attached: Incoming, index: number, capability: object, question: number | undefined): void {
    const claimed = attached.claim(index, capability)
    if (claimed !== undefined) this.#untaken.add(question ?? results, [claimed])
  }

  /** Calls have come with some, and have not been answered. */
  get haveCalls(): boolean {
    return this.#untaken.calls > (this.#untaken.has(results) ? 1 : 0)
  }

  closeCall(question: number): void {
    this.#untaken.close(question)
  }

  closeAll(): void {
    this.#untaken.closeAll()
  }
}
