/**
 * Exports: what the peer may call, by the ids that it knows. Counts how often each was named to it.
 *
 * A promise is exported as one, and the peer is told what it turns out to be (Resolve).
 */
import { RpcError } from '../rpc-error.js'
import type { Capability } from './capability.js'
import { IdTable } from './id-table.js'
import type { CapDescriptor } from './messages.js'

interface ExportEntry {
  readonly id: number
  /** Owned. */
  cap: Capability
  count: number
}

/** How a capability is named to the peer, and what calls by that name go to from then on. */
export interface Described {
  readonly descriptor: CapDescriptor
  /** Owned by the caller. */
  readonly pinned: Capability
}

export interface ExportHost {
  /** As the peer is told of it; a reference of the caller's is taken over. */
  describe(cap: Capability): Described
  sendResolve(promiseId: number, resolution: CapDescriptor | Error): void
}

export class Exports {
  readonly #host: ExportHost
  readonly #limit: number
  readonly #table = new IdTable<ExportEntry>()
  readonly #byCap = new Map<Capability, ExportEntry>()
  readonly #awaited = new WeakSet<Capability>()

  constructor(host: ExportHost, limit: number) {
    this.#host = host
    this.#limit = limit
  }

  get size(): number {
    return this.#table.size
  }

  /** How many more it takes. */
  get room(): number {
    return this.#limit - this.#table.size
  }

  has(cap: Capability): boolean {
    return this.#byCap.has(cap)
  }

  /** Names it once more. Takes over the reference. */
  add(cap: Capability): { readonly kind: 'senderHosted' | 'senderPromise'; readonly id: number } {
    let entry = this.#byCap.get(cap)
    const kind = cap.resolution === undefined ? 'senderHosted' : 'senderPromise'
    if (entry === undefined) {
      entry = this.#table.add((id) => ({ id, cap, count: 0 }))
      this.#byCap.set(cap, entry)
      this.#awaitResolution(cap)
    } else {
      cap.release()
    }
    entry.count++
    return { kind, id: entry.id }
  }

  /** What a name stands for. Throws for one that was not given, or was given back. */
  get(id: number): Capability {
    const entry = this.#table.get(id)
    if (entry === undefined) throw new RpcError('failed', `there is no export ${id}`, { origin: 'remote' })
    return entry.cap
  }

  release(id: number, count: number): void {
    const entry = this.#table.get(id)
    if (entry === undefined || count > entry.count) {
      throw new RpcError('failed', `export ${id} was released more often than it was named`, { origin: 'remote' })
    }
    entry.count -= count
    if (entry.count > 0) return
    this.#table.delete(id)
    if (this.#byCap.get(entry.cap) === entry) this.#byCap.delete(entry.cap)
    entry.cap.release()
  }

  clear(): void {
    this.#byCap.clear()
    for (const { cap } of this.#table.clear()) cap.release()
  }

  /** Once for each promise, however often it is released and named again while it is one. */
  #awaitResolution(cap: Capability): void {
    const { resolution } = cap
    if (resolution === undefined || this.#awaited.has(cap)) return
    this.#awaited.add(cap)
    resolution.subscribe(() => {
      const entry = this.#byCap.get(cap)
      if (entry === undefined) return // released meanwhile
      this.#byCap.delete(cap)
      const { resolved } = cap
      if (resolved.broken !== undefined) {
        entry.cap = resolved.addRef()
        this.#host.sendResolve(entry.id, resolved.broken)
      } else {
        const { descriptor, pinned } = this.#host.describe(resolved.addRef())
        entry.cap = pinned
        this.#host.sendResolve(entry.id, descriptor)
      }
      cap.release()
    })
  }
}
