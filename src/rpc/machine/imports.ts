/**
 * Imports: the peer's objects that somebody here holds, by the peer's ids.
 */
import { ImportCapability, type ImportHost } from './import-capability.js'

export class Imports {
  readonly #host: ImportHost
  readonly #byId = new Map<number, ImportCapability>()

  constructor(host: ImportHost) {
    this.#host = host
  }

  get size(): number {
    return this.#byId.size
  }

  /** Somebody will be told when they break. */
  get watched(): boolean {
    for (const cap of this.#byId.values()) if (cap.watched) return true
    return false
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
