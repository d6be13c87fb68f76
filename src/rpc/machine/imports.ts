/**
 * Imports: the peer's objects that somebody here holds, by the peer's ids; as many as the limit says, since the peer needs
 * few bytes to name one.
 */
import { RpcError } from '../rpc-error.js'
import { ImportCapability, type ImportHost } from './import-capability.js'
import type { CapDescriptor } from './messages.js'

export class Imports {
  readonly #host: ImportHost
  readonly #limit: number
  readonly #byId = new Map<number, ImportCapability>()

  constructor(host: ImportHost, limit: number) {
    this.#host = host
    this.#limit = limit
  }

  get size(): number {
    return this.#byId.size
  }

  /** Somebody will be told when they break. */
  get watched(): boolean {
    for (const cap of this.#byId.values()) if (cap.watched) return true
    return false
  }

  /** Why the names of a payload are not taken, none of them, if they are not. */
  faultOf(capTable: readonly CapDescriptor[]): RpcError | undefined {
    if (this.#byId.size + capTable.length <= this.#limit) return undefined
    const added = new Set<number>()
    for (const { kind, id } of capTable) {
      if ((kind === 'senderHosted' || kind === 'senderPromise') && !this.#byId.has(id)) added.add(id)
    }
    if (this.#byId.size + added.size <= this.#limit) return undefined
    const message = `more than ${this.#limit} objects of the peer's would be held, which is the limit (limits.imports)`
    return new RpcError('overloaded', message)
  }

  /** The peer has named one; a reference of the caller's own. */
  name(id: number, promise: boolean): ImportCapability {
    let cap = this.#byId.get(id)
    if (cap === undefined || cap.released) {
      cap = new ImportCapability(this.#host, id, promise)
      this.#byId.set(id, cap)
    } else {
      cap.addRef()
    }
    cap.named()
    return cap
  }

  get(id: number): ImportCapability | undefined {
    return this.#byId.get(id)
  }

  /** Nobody holds it any more; the id may be another object's soon. */
  forget(cap: ImportCapability): void {
    if (this.#byId.get(cap.id) === cap) this.#byId.delete(cap.id)
  }

  /** The connection is lost. */
  break(error: Error): void {
    for (const cap of this.#byId.values()) cap.break(error)
    this.#byId.clear()
  }
}
