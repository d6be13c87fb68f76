/**
 * BrokenCapability: what everything ends as that cannot be reached.
 */
import type { RpcError } from '../rpc-error.js'
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
