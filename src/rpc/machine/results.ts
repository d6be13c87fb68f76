/**
 * Results: what a call returned. Calls that were made on them before they were there find their way through them.
 *
 * Owns the payload until it is taken, by whoever the results are for; after that the capabilities are still known here
 * but no longer held.
 */

import { RpcError } from '../rpc-error.js'
import { decodeTree } from '../values/decode.js'
import { encodeValue } from '../values/encode.js'
import type { ValueLimits } from '../values/limits.js'
import type { Outgoing } from '../values/passing.js'
import { CapabilityReference, PromiseReference } from '../values/reference.js'
import { addYoung, type Young } from '../young.js'
import { Answer } from './answer.js'
import { BrokenCapability, shared } from './broken-capability.js'
import { type CallOrigin, type CallRequest, Capability } from './capability.js'
import type { Path } from './messages.js'
import type { Payload } from './payload.js'

/** What values need, for looking into results. */
export interface ValueSettings {
  readonly outgoing: Outgoing
  readonly limits: ValueLimits
  /** Runs a recorded function on each element of a value; takes over both. */
  readonly runMap: (input: Payload, program: Payload, context: CallOrigin) => Answer
}

export class Results implements Young {
  readonly #payload: Payload
  readonly #settings: ValueSettings
  #open = true
  /** Whoever holds it never forgets to release it, or that has been seen to. */
  #watched: boolean
  /** Once it is left to the collector. */
  #claim: Claim | undefined
  #tree: { readonly value: unknown } | undefined

  /**
   * Takes over the payload, whose content is nobody else's memory.
   * @param holder a table of ours; or what users hold, who may forget it
   */
  constructor(payload: Payload, settings: ValueSettings, holder: 'table' | 'users' = 'users') {
    this.#payload = payload
    this.#settings = settings
    this.#watched = holder === 'table' || payload.plain
  }

  /**
   * If it is forgotten, the collector releases it. Most are taken in the turn in which they come, so that is arranged for
   * behind it: it costs more than all else about them.
   */
  watch(): void {
    if (this.#watched || !this.#open) return
    this.#watched = true
    addYoung(this)
  }

  grownUp(): void {
    if (!this.#open) return
    this.#claim = { payload: this.#payload, open: true }
    forgotten.register(this, this.#claim, this.#claim)
  }

  /** The payload, as an owner of its own; taken over, or a duplicate if it was taken before. */
  take(): Payload {
    return this.#close() ? this.#payload : this.#payload.duplicate()
  }

  /** Another owner of the same. Throws what `Payload.duplicate` throws. */
  duplicate(): Results {
    return new Results(this.#payload.duplicate(), this.#settings)
  }

  /** Nothing in it has to be released, or called. */
  get plain(): boolean {
    return this.#payload.plain
  }

  release(): void {
    if (this.#close()) this.#payload.release()
  }

  /** Whether it was still the owner of the payload. */
  #close(): boolean {
    if (!this.#open) return false
    this.#open = false
    if (this.#claim !== undefined) {
      this.#claim.open = false
      forgotten.unregister(this.#claim)
    }
    return true
  }

  /** Owns the request's params. */
  call(request: CallRequest): Answer {
    try {
      const { found, rest } = this.#find(request.path)
      if (found instanceof CapabilityReference) return callShared(found.cap, { ...request, path: rest })
      if (found instanceof PromiseReference) {
        return callShared(found.cap, { ...request, path: [...found.path, ...rest] })
      }
      if (request.mode === 'map') return this.#settings.runMap(this.#part(found), request.params, request.context)
      request.params.release()
      if (request.mode === 'get') return Answer.of(new Results(this.#part(found), this.#settings))
      return Answer.failed(notCallable(request.path))
    } catch (error) {
      request.params.release()
      return Answer.failed(error)
    }
  }

  /** The capability at a path, a reference of the caller's own; broken, if something else is there. */
  capabilityAt(path: Path): Capability {
    try {
      const { found, rest } = this.#find(path)
      if (found instanceof CapabilityReference && rest.length === 0) return shared(found.cap)
      return new ResultCapability(this.duplicate(), path)
    } catch (error) {
      return new BrokenCapability(
        error instanceof RpcError ? error : new RpcError('failed', (error as Error).message, { cause: error }),
      )
    }
  }

  /** What is at a path, to be encoded; undefined where that is not here but behind a capability. */
  valueAt(path: Path): { readonly value: unknown } | undefined {
    const { found, rest } = this.#find(path)
    return rest.length === 0 ? { value: found } : undefined
  }

  #part(value: unknown): Payload {
    const { outgoing, limits } = this.#settings
    return encodeValue(value, 'result', 'lent', outgoing, limits)
  }

  /** As far along the path as there is data: to its end, or to something that is called. */
  #find(path: Path): { readonly found: unknown; readonly rest: Path } {
    let found = this.#value()
    for (let i = 0; i < path.length; i++) {
      const key = path[i] as string | number
      if (found instanceof CapabilityReference || found instanceof PromiseReference) {
        return { found, rest: path.slice(i) }
      }
      const holds = (Array.isArray(found) || isPlain(found)) && Object.hasOwn(found, key)
      found = holds ? (found as Record<string | number, unknown>)[key] : undefined
      if (found === undefined && i < path.length - 1) throw notThere(path.slice(0, i + 2))
    }
    return { found, rest: [] }
  }

  #value(): unknown {
    this.#tree ??= { value: decodeTree(this.#payload, this.#settings.limits) }
    return this.#tree.value
  }
}

interface Claim {
  readonly payload: Payload
  open: boolean
}

/** Results of a call whose promise nobody has awaited, disposed of or kept. */
const forgotten = new FinalizationRegistry<Claim>(({ payload, open }) => {
  if (open) payload.release()
})

/** What was held when the results were; they may have been disposed of since. */
function callShared(cap: Capability, request: CallRequest): Answer {
  const held = shared(cap)
  const answer = held.call(request)
  held.release()
  return answer
}

/** Data, or something in it, that a reference was asked to while it was promised. It can be read, and not be called. */
class ResultCapability extends Capability {
  readonly #results: Results
  readonly #path: Path

  /** Owns the results. */
  constructor(results: Results, path: Path) {
    super()
    this.#results = results
    this.#path = path
  }

  call(request: CallRequest): Answer {
    return this.#results.call({ ...request, path: [...this.#path, ...request.path] })
  }

  protected override dispose(): void {
    this.#results.release()
  }
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}

function notCallable(path: Path): RpcError {
  return new RpcError('unimplemented', `the result${path.length === 0 ? '' : ` at ${path.join('.')}`} is no function`)
}

function notThere(path: Path): RpcError {
  return new RpcError('failed', `the result has nothing at ${path.slice(0, -1).join('.')}`)
}
