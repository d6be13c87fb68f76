/**
 * DialedMain: the peer's main object together with its session, which ends when nobody holds it any more.
 */
import type { Answer } from './machine/answer.js'
import { type CallRequest, Capability, type Resolution } from './machine/capability.js'
import type { RpcError } from './rpc-error.js'
import { internals, type RpcSession } from './session.js'

export class DialedMain extends Capability {
  readonly #session: RpcSession
  readonly #main: Capability

  /** Owns the session from now on. */
  constructor(session: RpcSession) {
    super()
    this.#session = session
    session[internals].onEnd(() => {}) // whoever uses the stub is told by it
    this.#main = session[internals].main()
  }

  call(request: CallRequest): Answer {
    return this.#main.call(request)
  }

  override get resolved(): Capability {
    return this.#main.resolved
  }

  override get resolution(): Resolution | undefined {
    return this.#main.resolution
  }

  override get broken(): RpcError | undefined {
    return this.#main.broken
  }

  override onBroken(callback: (error: Error) => void): () => void {
    return this.#main.onBroken(callback)
  }

  protected override dispose(): void {
    this.#main.release()
    void this.#session.close()
  }
}
