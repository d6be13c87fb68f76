/**
 * PipelineCapability: what lies at a path of an answer's results, before they are there.
 */
import { RpcError } from '../rpc-error.js'
import type { Answer, Outcome } from './answer.js'
import { BrokenCapability } from './broken-capability.js'
import { type CallRequest, type Capability, deeper } from './capability.js'
import type { Path } from './messages.js'
import { PromisedCapability } from './promised-capability.js'

/** The capability at a path of an answer; a reference of the caller's own. The answer is borrowed. */
export function capabilityAt(answer: Answer, path: Path): Capability {
  const { outcome } = answer
  return outcome === undefined ? new PipelineCapability(answer.addRef(), path) : atOutcome(outcome, path)
}

export class PipelineCapability extends PromisedCapability {
  readonly answer: Answer
  readonly path: Path
  readonly #onOutcome = (outcome: Outcome): void => {
    if (this.released) return
    this.become(atOutcome(outcome, this.path))
    this.answer.release()
    this.tell()
  }

  /** Takes over the caller's reference to the answer, which is not done. */
  constructor(answer: Answer, path: Path) {
    super()
    this.answer = answer
    this.path = path
    answer.subscribe(this.#onOutcome)
  }

  protected override callPromised(request: CallRequest): Answer {
    return this.answer.call(deeper(request, this.path))
  }

  protected override dispose(): void {
    super.dispose()
    if (this.inner !== undefined) return
    this.answer.unsubscribe(this.#onOutcome)
    this.answer.release()
  }
}

function atOutcome(outcome: Outcome, path: Path): Capability {
  if (!(outcome instanceof Error)) return outcome.capabilityAt(path)
  const error = outcome instanceof RpcError ? outcome : new RpcError('failed', outcome.message, { cause: outcome })
  return new BrokenCapability(error)
}
