/**
 * Roles that many scenarios share: a vat that passes things on, and what is to be seen of it at the end.
 */
import assert from 'node:assert/strict'
import { RpcError } from '../../../../src/rpc/index.js'
import { type Place, type Role, role } from '../../support/place.js'
import { Log, Vat } from '../../support/vats.js'

/** A vat that does what it is asked. */
export const serving: Role = role((place) => new Vat(place, place.name))

/** What was added to its log in the end, in that order. */
export function servingLog(...entries: readonly number[]): Role {
  return role((place) => {
    const vat = new Vat(place, place.name)
    ends(place, vat.log, entries)
    return vat
  })
}

/** The same, in any order. */
export function servingEntries(...entries: readonly number[]): Role {
  return role((place) => {
    const vat = new Vat(place, place.name)
    place.atEnd(() => assert.deepEqual([...vat.log.entries].sort(), entries))
    return vat
  })
}

/** A log of the vat's own. */
export function logAt(place: Place, ...entries: readonly number[]): Log {
  const log = place.watch(new Log(), 'log')
  ends(place, log, entries)
  return log
}

/** The log has these entries in the end, in this order; while it has fewer, they are the first of these. */
export function ends(place: Place, log: Log, entries: readonly number[]): void {
  place.atEnd(() => assert.deepEqual(log.entries, entries))
  place.always(() => assert.deepEqual(log.entries, entries.slice(0, log.entries.length)))
}

/** The connection was lost, and nothing else. */
export function isLoss(error: unknown): boolean {
  return error instanceof RpcError && error.type === 'disconnected'
}

/** A promise that somebody waits for some time: until then nobody minds what becomes of it. */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}
