/**
 * ForkedAnswer: another owner of what is promised. Its results are its own, whoever takes the other's; calls on it take the
 * same way, so that they keep their order.
 */
import { asError } from '../rpc-error.js'
import { Answer, type Outcome } from './answer.js'
import type { CallRequest } from './capability.js'

/** Takes over the reference. */
export function forked(answer: Answer): Answer {
  return new ForkedAnswer(answer)
}

class ForkedAnswer extends Answer {
  readonly #inner: Answer

  constructor(inner: Answer) {
    super()
    this.#inner = inner
    inner.subscribe((outcome) => {
      if (this.outcome !== undefined) return // canceled
      this.settle(copyOf(outcome))
      inner.release()
    })
  }

  override get source(): Answer {
    return this.outcome === undefined ? this.#inner.source : this
  }

  protected override callPromised(request: CallRequest): Answer {
    return this.#inner.call(request)
  }

  protected override canceled(): void {
    super.canceled()
    this.#inner.release()
  }
}

/** While the original is still held by somebody: when it has just been settled. */
function copyOf(outcome: Outcome): Outcome {
  if (outcome instanceof Error) return outcome
  try {
    return outcome.duplicate()
  } catch (error) {
    return asError(error)
  }
}
