/**
 * PromisedCapability: what promises of capabilities have in common: once it is known what one is, it is that for everybody
 * who asks. How it gets to be known, and what becomes of calls until then, is its subclasses'.
 */
import type { RpcError } from '../rpc-error.js'
import type { Answer } from './answer.js'
import { type CallRequest, Capability, type Resolution } from './capability.js'

export abstract class PromisedCapability extends Capability {
  readonly #subscribers = new Subscribers()
  #inner: Capability | undefined

  call(request: CallRequest): Answer {
    return this.#inner === undefined ? this.callPromised(request) : this.#inner.call(request)
  }

  override get resolved(): Capability {
    return this.#inner === undefined ? this : this.#inner.resolved
  }

  override get destination(): Capability {
    return this.#inner === undefined ? this : this.#inner.destination
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

  /** What it is; undefined while that is not known. Borrowed. */
  protected get inner(): Capability | undefined {
    return this.#inner
  }

  /** A call while it is not known what it is. Owns the request's params. */
  protected abstract callPromised(request: CallRequest): Answer

  /** It is known. Takes over the reference; whoever waits is told by `tell`. */
  protected become(inner: Capability): void {
    this.#inner = inner
  }

  protected tell(): void {
    this.#subscribers.tell()
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
