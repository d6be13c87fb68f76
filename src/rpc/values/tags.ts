/**
 * How a value that MessagePack has no word for stands in it: as a map with the one key NUL, whose value is an array that
 * begins with one of these numbers (docs/rpc-protocol.md, *Values*). MessagePack's own extension types are not used: they
 * are global to the process in msgpackr, and what a peer may do with them is more than anybody needs.
 */
export const Tag = {
  /** An object that has a key NUL itself. */
  literal: 0,
  undefined: 1,
  negativeZero: 2,
  bigint: 3,
  date: 4,
  regexp: 5,
  url: 6,
  map: 7,
  set: 8,
  error: 9,
  binary: 10,
  capability: 11,
  /** A value that is not there yet: what a `get` of the path on the capability brings. */
  promise: 12,
  descriptor: 13,
  readable: 14,
  writable: 15,
  iterable: 16,
} as const

/** How many parts a mark has, by its tag, which is the first of them. */
export const partsOf: readonly number[] = [2, 1, 1, 2, 2, 3, 2, 2, 2, 2, 3, 2, 3, 2, 2, 2, 2]

export type CapabilityTag = typeof Tag.capability | typeof Tag.readable | typeof Tag.writable | typeof Tag.iterable

/** The key that says that a map is no map. */
export const markKey = '\0'

/** What lies in a `binary`, by its number on the wire. A Uint8Array or Buffer is MessagePack's own bin. */
export const binaryKinds = [
  ArrayBuffer,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  BigInt64Array,
  BigUint64Array,
  Float32Array,
  Float64Array,
  DataView,
] as const
