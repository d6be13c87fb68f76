/**
 * Payloads as they are, whatever they say of themselves: a subclass of Uint8Array may have a `length` of its own, and bytes
 * that are not there would be sent from memory that held somebody else's.
 */
import { types } from 'node:util'
import { UsageError } from '../errors.js'

export type Payload = Uint8Array | readonly Uint8Array[]

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object
const readLength = getter('length') as (this: Uint8Array) => number
const readOffset = getter('byteOffset') as (this: Uint8Array) => number
const readBuffer = getter('buffer') as (this: Uint8Array) => ArrayBufferLike

/** By what it is, not by its prototype; of another realm too. */
export const isBytes: (value: unknown) => value is Uint8Array = types.isUint8Array

/** The engine's length of a Uint8Array. */
export function lengthOf(bytes: Uint8Array): number {
  void bytes[0] // which tells V8 what it is, whose getter it then inlines; and no subclass has a say in it, as in `length`
  return readLength.call(bytes)
}

/** The length of all chunks together. Throws UsageError for what is no payload. */
export function payloadLength(payload: Payload): number {
  if (isBytes(payload)) return lengthOf(payload)
  if (!Array.isArray(payload)) throw notBytes()
  let length = 0
  for (const chunk of payload as readonly unknown[]) {
    if (!isBytes(chunk)) throw notBytes()
    length += lengthOf(chunk)
  }
  return length
}

/** The same bytes, in arrays whose members are the engine's. Throws UsageError for what is no payload. */
export function exactPayload(payload: Payload): Payload {
  if (isBytes(payload)) return exactBytes(payload)
  if (!Array.isArray(payload)) throw notBytes()
  const chunks: Uint8Array[] = []
  for (const chunk of payload as readonly unknown[]) {
    if (!isBytes(chunk)) throw notBytes()
    chunks.push(exactBytes(chunk))
  }
  return chunks
}

function exactBytes(bytes: Uint8Array): Uint8Array {
  const prototype: unknown = Object.getPrototypeOf(bytes)
  const isPlain = prototype === Uint8Array.prototype || prototype === Buffer.prototype
  if (isPlain && !Object.hasOwn(bytes, 'length')) return bytes
  return new Uint8Array(readBuffer.call(bytes), readOffset.call(bytes), readLength.call(bytes))
}

function getter(name: 'length' | 'byteOffset' | 'buffer'): unknown {
  return Object.getOwnPropertyDescriptor(typedArray, name)?.get
}

function notBytes(): UsageError {
  return new UsageError('a payload is a Uint8Array (a Buffer is one) or an array of them')
}
