/**
 * Embargoes: calls that must not be made yet, since earlier ones are still on their way round by the peer. They wait until
 * a Disembargo has taken the same way (rpc.capnp, *Disembargo*).
 */

import { asError, RpcError } from '../rpc-error.js'
import { decodeTree } from '../values/decode.js'
import { CapabilityReference, PromiseReference } from '../values/reference.js'
import { BrokenCapability } from './broken-capability.js'
import type { Capability } from './capability.js'
import { IdTable } from './id-table.js'
import type { Path } from './messages.js'
import { Payload } from './payload.js'
import { QueuedCapability } from './queued-capability.js'
import type { Vat } from './vat.js'

/** Sends a Disembargo; what it is given runs when the peer has reflected it, or never will. */
export type Embargo = (onEnd: OnEmbargoEnd) => void

/** @param lost the session has ended: what went before is lost, and what waits must not come instead */
export type OnEmbargoEnd = (lost?: RpcError) => void

export class Embargoes {
  readonly #waiting = new IdTable<{ readonly id: number; readonly onEnd: OnEmbargoEnd }>()

  get size(): number {
    return this.#waiting.size
  }

  /** Its number. */
  begin(onEnd: OnEmbargoEnd): number {
    return this.#waiting.add((id) => ({ id, onEnd })).id
  }

  /** The peer has reflected it. Throws for a number that is none. */
  end(id: number): void {
    const embargo = this.#waiting.delete(id)
    if (embargo === undefined) throw new RpcError('failed', `there is no embargo ${id}`, { origin: 'remote' })
    embargo.onEnd()
  }

  /** The connection is lost. */
  break(error: RpcError): void {
    for (const { onEnd } of this.#waiting.clear()) onEnd(error)
  }
}

/** The capability, behind an embargo. Takes over the reference. */
export function embargoed(cap: Capability, waitingCalls: number, embargo: Embargo): Capability {
  const held = new QueuedCapability(waitingCalls)
  embargo((lost) => {
    if (lost === undefined) {
      held.resolve(cap)
    } else {
      held.resolve(new BrokenCapability(lost))
      cap.release()
    }
  })
  return held
}

/**
 * The results, in which those capabilities that are `own` and were called before they were known stand behind an embargo
 * each. Takes over the payload. An error, if it is no value.
 */
export function embargoCapabilities(
  payload: Payload,
  vat: Vat,
  own: readonly boolean[],
  called: readonly Path[],
  embargo: (path: Path) => Embargo,
): Payload | Error {
  const places = placesOfCapabilities(payload, vat)
  if (places instanceof Error) {
    payload.release()
    return places
  }
  const caps = payload.caps.map((cap, i) => {
    if (own[i] !== true) return cap
    const place = places[i]?.find((path) => called.some((other) => startsWith(other, path)))
    return place === undefined ? cap : embargoed(cap, vat.options.waitingCalls, embargo(place))
  })
  return new Payload(payload.content, caps, payload.descriptors, payload.lost)
}

/** Where in the value each capability lies, by its index. An error for what is no value. */
function placesOfCapabilities(payload: Payload, vat: Vat): readonly Path[][] | Error {
  const places: Path[][] = payload.caps.map(() => [])
  const look = (value: unknown, path: Path): void => {
    if (value instanceof CapabilityReference || value instanceof PromiseReference) {
      places[value.index]?.push(path)
    } else if (Array.isArray(value)) {
      for (const [i, element] of value.entries()) look(element, [...path, i])
    } else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
      for (const [key, member] of Object.entries(value)) look(member, [...path, key])
    }
  }
  try {
    look(decodeTree(payload, vat.values.limits), [])
  } catch (error) {
    return asError(error)
  }
  return places
}

function startsWith(path: Path, prefix: Path): boolean {
  return prefix.length <= path.length && prefix.every((key, i) => key === path[i])
}
