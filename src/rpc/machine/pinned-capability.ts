/**
 * PinnedCapability: the peer's own object, as we told it that a promise of ours had resolved to it. Calls that it still
 * sends to the promise go there and nowhere else, even if that object has itself turned out to be something nearer:
 * otherwise they could overtake those that were sent before (rpc.capnp, *Tribble 4-way race*).
 */
import type { RpcError } from '../rpc-error.js'
import type { Answer } from './answer.js'
import { type CallRequest, Capability } from './capability.js'
import type { ImportCapability } from './import-capability.js'
import { type MessageTarget, noPath } from './messages.js'
import type { PipelineCapability } from './pipeline-capability.js'
import type { Question } from './question.js'

export class PinnedImport extends Capability {
  readonly #inner: ImportCapability

  constructor(inner: ImportCapability) {
    super()
    this.#inner = inner
    inner.pin()
  }

  override get destination(): Capability {
    return this.#inner.destination
  }

  override get broken(): RpcError | undefined {
    return this.#inner.resolvedBroken
  }

  call(request: CallRequest): Answer {
    return this.#inner.callAsIs(request)
  }

  get host(): unknown {
    return this.#inner.host
  }

  get target(): MessageTarget {
    return { kind: 'importedCap', id: this.#inner.id, transform: noPath }
  }

  protected override dispose(): void {
    this.#inner.unpin()
  }
}

/** The same, of a place in the results of a question of ours. */
export class PinnedPipeline extends Capability {
  readonly #question: Question
  readonly #pipeline: PipelineCapability

  /** Takes over the reference. */
  constructor(pipeline: PipelineCapability, question: Question) {
    super()
    this.#pipeline = pipeline
    this.#question = question
    question.pin()
  }

  override get destination(): Capability {
    return this.#pipeline.destination
  }

  call(request: CallRequest): Answer {
    return this.#question.callAsIs({ ...request, path: [...this.#pipeline.path, ...request.path] })
  }

  get host(): unknown {
    return this.#question.host
  }

  get target(): MessageTarget {
    return { kind: 'promisedAnswer', id: this.#question.id, transform: this.#pipeline.path }
  }

  protected override dispose(): void {
    this.#pipeline.release()
    this.#question.unpin()
  }
}
