/**
 * PipelineCapability: what lies at a path of an answer's results, before they are there.
 */
import { RpcError } from '../rpc-error.js'
import type { Answer, Outcome } from './answer.js'
import { BrokenCapability } from './broken-capability.js'
import { type CallRequest, Capability, deeper, type Resolution } from './capability.js'
import type { Path } from './messages.js'
import { Subscribers } from './queued-capability.js'

/** The capability at a path of an answer; a reference of the caller's own. The answer is borrowed. */
export function capabilityAt(answer: Answer, path: Path): Capability {
  const { outcome } = answer
  return outcome === undefined ? new PipelineCapability(answer.addRef(), path) : atOutcome(outcome, path)
}

export class PipelineCapability extends Capability {
  readonly answer: Answer
  readonly path: Path
  readonly #subscribers = new Subscribers()
  #inner: Capability | undefined
  readonly #onOutcome = (outcome: Outcome): void => {
    if (this.released) return
    this.#inner = atOutcome(outcome, this.path)
    this.answer.release()
    this.#subscribers.tell()
  }

  /** Takes over the caller's reference to the answer, which is not done. */
  constructor(answer: Answer, path: Path) {
    super()
    this.answer = answer
    this.path = path
    answer.subscribe(this.#onOutcome)
  }

  call(request: CallRequest): Answer {
    return this.#inner === undefined ? this.answer.call(deeper(request, this.path)) : this.#inner.call(request)
  }

  override get resolved(): Capability {
    return this.#inner === undefined ? this : this.#inner.resolved
  }

  override get resolution(): Resolution | undefined {
    return this.#inner === undefined ? this.#subscribers : this.#inner.resolution
  }

  override get broken(): RpcError | undefined {
    return this.#inner?.broken
  }

  override onBroken(callback: (error: Error) => void): () => void {
    return this.#inner === undefined
      ? this.#subscribers.onBroken(callback, () => this.#inner)
      : this.#inner.onBroken(callback)
  }

  protected override dispose(): void {
    if (this.#inner !== undefined) {
      this.#inner.release()
      return
    }
    this.answer.unsubscribe(this.#onOutcome)
    this.answer.release()
  }
}

function atOutcome(outcome: Outcome, path: Path): Capability {
  if (!(outcome instanceof Error)) return outcome.capabilityAt(path)
  const error = outcome instanceof RpcError ? outcome : new RpcError('failed', outcome.message, { cause: outcome })
  return new BrokenCapability(error)
}
