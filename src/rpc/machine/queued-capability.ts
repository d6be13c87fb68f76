/**
 * QueuedCapability: a capability that is not known yet, or must not be called yet (an embargo): calls wait, in order.
 */
import { type Answer, CallQueue } from './answer.js'
import { resolvedToItself } from './broken-capability.js'
import type { CallRequest, Capability } from './capability.js'
import { PromisedCapability } from './promised-capability.js'

export class QueuedCapability extends PromisedCapability {
  readonly #calls: CallQueue

  /** @param limit calls that may wait */
  constructor(limit: number) {
    super()
    this.#calls = new CallQueue(limit)
  }

  /** What it is. Takes over the caller's reference. Calls that waited are made before this returns. */
  resolve(capability: Capability): void {
    if (this.inner !== undefined) {
      capability.release()
      return
    }
    let inner = capability
    if (capability.destination === this) {
      capability.release()
      inner = resolvedToItself()
    }
    this.#calls.flush((request) => inner.call(request))
    this.become(inner)
    if (this.released) inner.release()
    else this.tell()
  }

  protected override callPromised(request: CallRequest): Answer {
    return this.#calls.push(request)
  }
}
