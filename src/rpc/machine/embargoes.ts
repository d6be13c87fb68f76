/**
 * Embargoes: calls that must not be made yet, since earlier ones are still on their way round by the peer. They wait until
 * a Disembargo has taken the same way (rpc.capnp, *Disembargo*).
 */

import { asError, RpcError } from '../rpc-error.js'
import { decodeTree } from '../values/decode.js'
import { CapabilityReference } from '../values/reference.js'
import type { Capability } from './capability.js'
import { IdTable } from './id-table.js'
import type { Path } from './messages.js'
import type { Payload } from './payload.js'
import { QueuedCapability } from './queued-capability.js'
import type { Vat } from './vat.js'

/** Sends a Disembargo; what it is given runs when the peer has reflected it. */
export type Embargo = (onEnd: () => void) => void

export class Embargoes {
  readonly #waiting = new IdTable<{ readonly id: number; readonly onEnd: () => void }>()

  get size(): number {
    return this.#waiting.size
  }

  /** Its number. */
  begin(onEnd: () => void): number {
    return this.#waiting.add((id) => ({ id, onEnd })).id
  }

  /** The peer has reflected it. Throws for a number that is none. */
  end(id: number): void {
    const embargo = this.#waiting.delete(id)
    if (embargo === undefined) throw new RpcError('failed', `there is no embargo ${id}`, { origin: 'remote' })
    embargo.onEnd()
  }

  /** The connection is lost: nothing is on its way any more. */
  clear(): void {
    for (const { onEnd } of this.#waiting.clear()) onEnd()
  }
}

/** The capability, behind an embargo. Takes over the reference. */
export function embargoed(cap: Capability, waitingCalls: number, embargo: Embargo): Capability {
  const held = new QueuedCapability(waitingCalls)
  embargo(() => held.resolve(cap))
  return held
}

/**
 * The capabilities of results, in place of which those that are `own` and were called before they were known stand behind
 * an embargo each. Takes over the references.
 */
export function embargoCapabilities(
  caps: readonly Capability[],
  paths: readonly (Path | undefined)[],
  own: readonly boolean[],
  called: readonly Path[],
  waitingCalls: number,
  embargo: (path: Path) => Embargo,
): Capability[] {
  return caps.map((cap, i) => {
    const path = paths[i]
    if (own[i] !== true || path === undefined || !called.some((other) => startsWith(other, path))) return cap
    return embargoed(cap, waitingCalls, embargo(path))
  })
}

/**
 * Where in a value each of its capabilities lies, by its index; undefined where nothing refers to it. An error for what is
 * no value.
 */
export function pathsOfCapabilities(payload: Payload, vat: Vat): readonly (Path | undefined)[] | Error {
  const paths: (Path | undefined)[] = payload.caps.map(() => undefined)
  const indexes = new Map<Capability, number>()
  for (const [i, cap] of payload.caps.entries()) if (!indexes.has(cap)) indexes.set(cap, i)
  const look = (value: unknown, path: Path): void => {
    if (value instanceof CapabilityReference) {
      paths[indexes.get(value.cap) as number] ??= path
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
  return paths
}

function startsWith(path: Path, prefix: Path): boolean {
  return prefix.length <= path.length && prefix.every((key, i) => key === path[i])
}
