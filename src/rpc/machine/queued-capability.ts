/**
 * QueuedCapability: a capability that is not known yet, or must not be called yet (an embargo): calls wait, in order.
 */
import type { RpcError } from '../rpc-error.js'
import { type Answer, CallQueue } from './answer.js'
import { resolvedToItself } from './broken-capability.js'
import { type CallRequest, Capability, type Resolution } from './capability.js'

export class QueuedCapability extends Capability {
  readonly #calls: CallQueue
  readonly #subscribers = new Subscribers()
  #inner: Capability | undefined

  /** @param limit calls that may wait */
  constructor(limit: number) {
    super()
    this.#calls = new CallQueue(limit)
  }

  call(request: CallRequest): Answer {
    return this.#inner === undefined ? this.#calls.push(request) : this.#inner.call(request)
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

  /** What it is. Takes over the caller's reference. Calls that waited are made before this returns. */
  resolve(capability: Capability): void {
    if (this.#inner !== undefined) {
      capability.release()
      return
    }
    let inner = capability
    if (capability.resolved === this) {
      capability.release()
      inner = resolvedToItself()
    }
    this.#calls.flush((request) => inner.call(request))
    this.#inner = inner
    if (this.released) inner.release()
    else this.#subscribers.tell()
  }

  protected override dispose(): void {
    this.#inner?.release()
  }
}

/** Who waits for a promise to turn out to be something. */
export class Subscribers implements Resolution {
  #callbacks: (() => void)[] = []

  /** Only while it is not known. */
  subscribe(callback: () => void): void {
    this.#callbacks.push(callback)
  }

  /** As Capability.onBroken, of what it turns out to be. */
  onBroken(callback: (error: Error) => void, inner: () => Capability | undefined): () => void {
    let end = () => {}
    let on = true
    this.subscribe(() => {
      if (on) end = inner()?.onBroken(callback) ?? end
    })
    return () => {
      on = false
      end()
    }
  }

  tell(): void {
    const callbacks = this.#callbacks
    this.#callbacks = []
    for (const callback of callbacks) callback()
  }
}
