/**
 * KeptDescriptors: what came with capabilities and is the connection's to close: with the last of the calls that brought its
 * capability, once that has been answered; if results brought it, at the connection's end. Knows calls by the ids of their
 * questions, each of one call alone until its answer.
 */
import { RpcError } from '../../rpc/index.js'
import { Untaken } from '../link/untaken.js'
import type { Incoming } from './attached.js'

/** What keeps the descriptor of a capability. */
interface Keeping {
  /** Not answered yet, that brought the capability; as often as each did. */
  calls: number
  /** Results brought it while it had the descriptor that it has. */
  isForGood: boolean
}

export class KeptDescriptors {
  readonly #untaken: Untaken<Keeping>
  /** By capability. */
  readonly #keepings = new WeakMap<object, Keeping>()
  /** By the ids of questions of the peer's that are not answered yet, whether or not their ends have come. */
  readonly #open = new Map<number, Keeping[]>()

  constructor(maxUntaken: number | undefined) {
    this.#untaken = new Untaken(maxUntaken)
  }

  /**
   * Gives the capability what came with it, and keeps what it has. Throws RpcError where that is more than may be kept.
   * @param question that of the call it came with; undefined: it came with results
   */
  claim(attached: Incoming, index: number, capability: object, question: number | undefined): void {
    const keeping = this.#keepings.get(capability) ?? { calls: 0, isForGood: false }
    this.#keepings.set(capability, keeping)
    const claimed = attached.claim(index, capability)
    if (claimed !== undefined) {
      keeping.isForGood = false
      this.#untaken.add(keeping, [claimed])
    }
    if (question === undefined) keeping.isForGood = this.#untaken.has(keeping)
    else {
      keeping.calls++
      this.#open.get(question)?.push(keeping)
    }
  }

  /**
   * A call or a bootstrap has come. Throws RpcError of origin `remote` where its id is another's that is not answered yet: the
   * answer to one would close what the other came with, under a method that may be reading from the number.
   */
  asked(question: number): void {
    if (this.#open.has(question)) {
      throw new RpcError('failed', 'a question has the id of one that is not answered yet', { origin: 'remote' })
    }
    this.#open.set(question, [])
  }

  /** By a Return, or as unimplemented. */
  answered(question: number): void {
    const brought = this.#open.get(question) ?? []
    this.#open.delete(question)
    for (const keeping of brought) {
      keeping.calls--
      if (keeping.calls === 0 && !keeping.isForGood) this.#untaken.close(keeping)
    }
  }

  closeAll(): void {
    this.#untaken.closeAll()
  }
}
