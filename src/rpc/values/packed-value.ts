/**
 * The values without the calls: one value as one frame, with the descriptors that are in it, for libraries that have calls
 * of their own. The bytes are those of docs/rpc-protocol.md, *Values*, and so are the bounds. What is passed by reference
 * (functions, targets, stubs, streams) cannot be in it: there is no session that would keep it.
 */
import { UsageError } from '../../errors.js'
import type { Descriptor } from '../../transport/index.js'
import { Payload } from '../machine/payload.js'
import { decodeValue } from './decode.js'
import { encodeValue } from './encode.js'
import type { ValueLimits } from './limits.js'
import type { Incoming, Outgoing } from './passing.js'

export interface ValueOptions {
  /** Arrays and objects inside one another. Default 100. */
  readonly depth?: number
  /** Elements, keys and members. Default 1,000,000. */
  readonly values?: number
}

export interface PackOptions extends ValueOptions {
  /** Takes over the descriptors in the value instead of duplicating them, from the call on, also when it throws. */
  readonly transfer?: boolean
}

export interface UnpackOptions extends ValueOptions {
  /** Whether a large Uint8Array may be a view of the payload, which must not change then. Default `views`. */
  readonly bytes?: 'views' | 'copies'
  /** A descriptor that was lost on the way: an error of the whole (`throws`, the default), or one in its place. */
  readonly lost?: 'throws' | 'in place'
}

/** What `sendValue` sends. */
export interface PackedValue {
  readonly payload: Uint8Array
  /** Duplicates of those in the value, or those themselves, the caller's to send or to close. */
  readonly descriptors: readonly Descriptor[]
}

export interface UnpackedValue {
  readonly value: unknown
  /** Those that are in the value, the caller's: for whoever has to close what nobody took. */
  readonly descriptors: readonly Descriptor[]
}

/**
 * A value as bytes and descriptors: plain data, Map, Set, Date, Error, BigInt, typed arrays, undefined, and a `Descriptor`
 * anywhere in it. The descriptors stay the caller's, duplicates are packed; with `transfer` they are taken over.
 *
 * Throws UsageError, which names the place, for what cannot travel (a function, a cycle, too deep, too many); ClosedError
 * for a Descriptor that is closed; SystemError when one cannot be duplicated. Then nothing is left open.
 */
export function packValue(value: unknown, options: PackOptions = {}): PackedValue {
  const ownership = options.transfer === true ? 'moved' : 'lent'
  const { content, descriptors } = encodeValue(value, 'value', ownership, nothingByReference, limitsOf(options))
  return { payload: content, descriptors }
}

/**
 * The value of a frame that `packValue` made, or a hostile peer. Takes over the frame's descriptors: those that the value
 * does not refer to are closed, all of them when it throws. A large Uint8Array may be a view of the payload, which must
 * not change any more, unless `bytes` says otherwise.
 *
 * Throws RpcError of type `failed` and origin `remote` for bytes that are no value, or over a bound; DescriptorLostError
 * where a descriptor was lost on the way, unless that is to stand in its place (`lost`).
 */
export function unpackValue(
  frame: { readonly payload: Uint8Array; readonly descriptors: readonly Descriptor[]; readonly lost: number },
  options: UnpackOptions = {},
): UnpackedValue {
  const { payload, descriptors, lost } = frame
  const incoming = options.lost === 'in place' ? nothingOrLost : nothing
  const packed = new Payload(payload, undefined, descriptors, lost)
  const { value, owned } = decodeValue(packed, incoming, limitsOf(options), options.bytes ?? 'views')
  return { value, descriptors: owned as Descriptor[] }
}

const defaults: ValueLimits = { depth: 100, count: 1_000_000 }

function limitsOf({ depth = defaults.depth, values: count = defaults.count }: ValueOptions): ValueLimits {
  return depth === defaults.depth && count === defaults.count ? defaults : { depth, count }
}

const byReference = (): never => {
  throw new UsageError('what is passed by reference (a function, an object with methods, a stream) cannot travel here')
}

const nothingByReference: Outgoing = {
  hold: byReference,
  readableSource: byReference,
  writableTarget: byReference,
  iterableSource: byReference,
  sendStacks: false,
}

/** Never called: a mark of theirs refers to a capability, and there are none. */
const nothing: Incoming = { stub: byReference, readable: byReference, writable: byReference, iterable: byReference }
const nothingOrLost: Incoming = { ...nothing, lostDescriptor: (error) => error }
