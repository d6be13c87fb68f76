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
  readonly #target: MessageTarget
  /** Of a promise: who waits for what it turns out to be. */
  readonly #resolvers: Subscribers | undefined
  /** Few imports have any. */
  #watchers: Set<(error: Error) => void> | undefined
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
    this.#resolvers = promise ? new Subscribers() : undefined
    this.#target = { kind: 'importedCap', id, transform: noPath }
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
    // What is broken is that in every way; a promise that waits for itself would have its calls sent round for ever.
    if (this.resolvedBroken !== undefined) return (this.#inner as Capability).call(request)
    if (this.#named === 0) return gone().call(request) // its id may be another object's by now
    this.called = true
    return this.host.sendCall(this.#target, request)
  }

  override get resolved(): Capability {
    return this.#inner === undefined ? this : this.#inner.resolved
  }

  override get destination(): Capability {
    return this.#inner === undefined ? this : this.#inner.destination
  }

  override get resolution(): Resolution | undefined {
    if (this.#inner !== undefined) return this.#inner.resolution
    return this.#resolvers
  }

  /** Why what it was resolved to is broken: calls need not be sent to the peer then, pinned or not. */
  get resolvedBroken(): RpcError | undefined {
    return this.#inner?.broken
  }

  override get broken(): RpcError | undefined {
    return this.#inner === undefined ? this.host.failure : this.#inner.broken
  }

  override onBroken(callback: (error: Error) => void): () => void {
    if (this.#inner !== undefined) return this.#inner.onBroken(callback)
    if (this.broken !== undefined) return super.onBroken(callback)
    let end = () => {}
    this.#watchers ??= new Set()
    const watchers = this.#watchers
    watchers.add(callback)
    this.#resolvers?.subscribe(() => {
      if (watchers.delete(callback)) end = this.#inner?.onBroken(callback) ?? end
    })
    return () => {
      watchers.delete(callback)
      end()
    }
  }

  /** It is a promise, and this is what it is. Takes over the caller's reference. */
  resolve(capability: Capability): void {
    if (this.#resolvers === undefined || this.#inner !== undefined || this.released) {
      capability.release()
      return
    }
    const toItself = capability.destination === this
    if (toItself) {
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
    this.#releaseToPeer(toItself) // what pins it is pinned by it, by way of the peer
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
    return this.#watchers !== undefined && this.#watchers.size > 0
  }

  /** The connection is lost. */
  break(error: Error): void {
    if (this.#watchers === undefined) return
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

  #releaseToPeer(pinnedToo = false): void {
    if ((this.#pins > 0 && !pinnedToo) || this.#named === 0) return
    const count = this.#named
    this.#named = 0
    this.host.releaseImport(this, count)
  }
}
