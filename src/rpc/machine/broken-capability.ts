/**
 * BrokenCapability: what everything ends as that cannot be reached.
 */
import { RpcError } from '../rpc-error.js'
import { Answer } from './answer.js'
import { type CallRequest, Capability } from './capability.js'

export class BrokenCapability extends Capability {
  readonly #error: RpcError

  constructor(error: RpcError) {
    super()
    this.#error = error
  }

  call(request: CallRequest): Answer {
    request.params.release()
    return Answer.failed(this.#error)
  }

  override get broken(): RpcError {
    return this.#error
  }
}

/** A reference to what the lender may hold no more: broken then. */
export function shared(cap: Capability): Capability {
  return cap.released ? gone() : cap.addRef()
}

/** What nobody holds any more, and only a name was left of. */
export function gone(): BrokenCapability {
  return new BrokenCapability(new RpcError('failed', 'it has been disposed of, with the result that it was in'))
}

/** A promise that would wait for itself. */
export function resolvedToItself(): BrokenCapability {
  return new BrokenCapability(new RpcError('failed', 'a promise was resolved to itself'))
}
