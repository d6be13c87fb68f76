/**
 * ImportCapability: an object of the peer's. Counts how often the peer has named it to us, which is what a Release says.
 */
import type { RpcError } from '../rpc-error.js'
import type { Answer } from './answer.js'
import { gone, resolvedToItself } from './broken-capability.js'
import { type CallRequest, Capability, type Resolution } from './capability.js'
import type { MessageTarget } from './messages.js'
import { noPath } from './messages.js'
import { Subscribers } from './promised-capability.js'

/** What an import needs of its connection. */
export interface ImportHost {
  sendCall(target: MessageTarget, request: CallRequest): Answer
  releaseImport(capability: ImportCapability, count: number): void
  readonly failure: RpcError | undefined
}

export class ImportCapability extends Capability {
  readonly host: ImportHost
  readonly id: number
  readonly #promise: boolean
  readonly #resolvers = new Subscribers()
  readonly #watchers = new Set<(error: Error) => void>()
  #inner: Capability | undefined
  #named = 0
  #pins = 0
  /**
   * A call went out that a shorter way could overtake: by this name, or by that of a promise that turned out to be this one,
   * or by the place in an answer where it was found.
   */
  called = false

  constructor(host: ImportHost, id: number, promise: boolean) {
    super()
    this.host = host
    this.id = id
    this.#promise = promise
  }

  /** The peer has named it once more. */
  named(): void {
    this.#named++
  }

  call(request: CallRequest): Answer {
    return this.#inner === undefined ? this.callAsIs(request) : this.#inner.call(request)
  }

  /** To the peer, whatever the promise has turned out to be. */
  callAsIs(request: CallRequest): Answer {
    if (this.#named === 0) return gone().call(request) // its id may be another object's by now
    this.called = true
    return this.host.sendCall({ kind: 'importedCap', id: this.id, transform: noPath }, request)
  }

  override get resolved(): Capability {
    return this.#inner === undefined ? this : this.#inner.resolved
  }

  override get resolution(): Resolution | undefined {
    if (this.#inner !== undefined) return this.#inner.resolution
    return this.#promise ? this.#resolvers : undefined
  }

  override get broken(): RpcError | undefined {
    return this.#inner === undefined ? this.host.failure : this.#inner.broken
  }

  override onBroken(callback: (error: Error) => void): () => void {
    if (this.#inner !== undefined) return this.#inner.onBroken(callback)
    if (this.broken !== undefined) return super.onBroken(callback)
    let end = () => {}
    this.#watchers.add(callback)
    if (this.#promise) {
      this.#resolvers.subscribe(() => {
        if (this.#watchers.delete(callback)) end = this.#inner?.onBroken(callback) ?? end
      })
    }
    return () => {
      this.#watchers.delete(callback)
      end()
    }
  }

  /** It is a promise, and this is what it is. Takes over the caller's reference. */
  resolve(capability: Capability): void {
    if (!this.#promise || this.#inner !== undefined || this.released) {
      capability.release()
      return
    }
    if (capability.resolved === this) {
      capability.release()
      this.#inner = resolvedToItself()
    } else {
      // What was sent to this one may be on its way to what that one turns out to be.
      if (this.called && capability instanceof ImportCapability && capability.host === this.host)
        capability.called = true
      this.#inner = capability
      this.#shorten(capability)
    }
    this.#resolvers.tell()
    this.#releaseToPeer()
  }

  /** A promise that resolves to a promise, and so on, is one step from its end however many there were. */
  #shorten(inner: Capability): void {
    inner.resolution?.subscribe(() => {
      const { resolved } = inner
      if (this.released || this.#inner !== inner || resolved === inner) return
      this.#inner = resolved.addRef()
      inner.release()
      this.#shorten(resolved)
    })
  }

  get watched(): boolean {
    return this.#watchers.size > 0
  }

  /** The connection is lost. */
  break(error: Error): void {
    const watchers = [...this.#watchers]
    this.#watchers.clear()
    for (const watcher of watchers) watcher(error)
  }

  /** The peer was told to send calls here by this id: it stays until `unpin`. */
  pin(): void {
    this.#pins++
  }

  unpin(): void {
    this.#pins--
    if (this.released || this.#inner !== undefined) this.#releaseToPeer()
  }

  protected override dispose(): void {
    this.#releaseToPeer()
    this.#inner?.release()
  }

  #releaseToPeer(): void {
    if (this.#pins > 0 || this.#named === 0) return
    const count = this.#named
    this.#named = 0
    this.host.releaseImport(this, count)
  }
}
