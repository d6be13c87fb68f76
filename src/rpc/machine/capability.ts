/**
 * Capability: an object that can be called, wherever it is: here, behind a session, or not known yet.
 *
 * Counted by its holders: whoever makes or is given one owns a reference and releases it. Knows no wire and no stubs.
 */
import { queueMicrotask } from '../../event-loop.js'
import type { RpcError } from '../rpc-error.js'
import type { Answer } from './answer.js'
import type { HeldBytes } from './held-bytes.js'
import type { CallMode, Path, TraceContext } from './messages.js'
import type { Payload } from './payload.js'

export interface CallRequest {
  readonly mode: CallMode
  readonly path: Path
  /** The callee's from now on. */
  readonly params: Payload
  readonly context: CallOrigin
  /** Nobody wants to know what becomes of it: nothing comes back, not even why it failed. */
  readonly oneWay?: boolean
}

/** What a call carries besides its parameters. */
export interface CallOrigin {
  /** When the caller stops waiting, by `performance.now()`; 0: never. */
  readonly deadline: number
  readonly trace: TraceContext | undefined
  /** The session that it came by; undefined: from this vat. */
  readonly session: unknown
  /** Where what its arguments are promised counts; undefined: nowhere. */
  readonly held?: HeldBytes
  /** Of a call that a map makes: what all maps that are under way in it may still do together. */
  readonly mapBudget?: { calls: number; bytes: number }
}

export const localOrigin: CallOrigin = Object.freeze({ deadline: 0, trace: undefined, session: undefined })

/** The same call, `prefix` further from its target. */
export function deeper(request: CallRequest, prefix: Path): CallRequest {
  return prefix.length === 0 ? request : { ...request, path: [...prefix, ...request.path] }
}

export abstract class Capability {
  #refs = 1

  /** Another reference to what one holds. */
  addRef(): this {
    if (this.#refs > 0) this.#refs++
    return this
  }

  release(): void {
    if (this.#refs > 0 && --this.#refs === 0) this.dispose()
  }

  /** Nobody holds it any more. */
  get released(): boolean {
    return this.#refs === 0
  }

  /** Calls arrive in the order in which they are made. Never throws; owns the request's params from now on. */
  abstract call(request: CallRequest): Answer

  /** What it has turned out to be, as far as is known; itself if that is nothing else. No reference is given. */
  get resolved(): Capability {
    return this
  }

  /** The same, by pins too, which calls do not pass: what it will be in the end. */
  get destination(): Capability {
    return this
  }

  /** It may still turn out to be something else: tell then, once. Undefined if it will not. */
  get resolution(): Resolution | undefined {
    return undefined
  }

  /** Why nothing that it is asked can succeed any more. */
  get broken(): RpcError | undefined {
    return undefined
  }

  /** Tells once when it is broken; the function returned ends that. */
  onBroken(callback: (error: Error) => void): () => void {
    const { broken } = this
    if (broken === undefined) return () => {}
    let on = true
    queueMicrotask(() => on && callback(broken))
    return () => {
      on = false
    }
  }

  protected dispose(): void {}
}

export interface Resolution {
  /** Calls back at once if it is known. */
  subscribe(callback: () => void): void
}
