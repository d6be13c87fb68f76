/**
 * KeptDescriptors: what came with capabilities and is the connection's to close: with a call until it has been answered, with
 * results until the connection's end. Knows calls by the ids of their questions, each of one call alone until its answer.
 */
import { RpcError } from '../../rpc/index.js'
import { Untaken } from '../link/untaken.js'
import type { Incoming } from './attached.js'

/** Stands for a question where results came with some. */
const results = -1

export class KeptDescriptors {
  /** By the question's id. */
  readonly #untaken: Untaken
  /** Ids of questions of the peer's that are not answered yet, whether or not their ends have come. */
  readonly #open = new Set<number>()

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

  /**
   * A call or a bootstrap has come. Throws RpcError of origin `remote` where its id is another's that is not answered yet: the
   * answer to one would close what the other came with, under a method that may be reading from the number.
   */
  asked(question: number): void {
    if (this.#open.has(question)) {
      throw new RpcError('failed', 'a question has the id of one that is not answered yet', { origin: 'remote' })
    }
    this.#open.add(question)
  }

  /** By a Return, or as unimplemented: closes what it came with. */
  answered(question: number): void {
    this.#open.delete(question)
    this.#untaken.close(question)
  }

  closeAll(): void {
    this.#untaken.closeAll()
  }
}
