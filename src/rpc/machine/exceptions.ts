/**
 * Errors on their way between vats. What was thrown travels as a value, if it can; type and message always do.
 */
import { RpcError, type RpcErrorType } from '../rpc-error.js'
import { decodeValue } from '../values/decode.js'
import { encodeValue } from '../values/encode.js'
import type { Capability } from './capability.js'
import type { WireException } from './messages.js'
import { Payload } from './payload.js'
import type { Vat } from './vat.js'

const noDetail = new Uint8Array(0)
/** What a peer's message may be made of; longer ones are cut. */
const longestReason = 64 * 1024

export function exceptionOf(error: Error, vat: Vat): WireException {
  if (error instanceof RpcError) return exception(error.type, error.message, error.cause, vat)
  return exception('failed', error.message, error, vat)
}

/** What the call ends with at its caller. */
export function errorOf({ type, reason, detail }: WireException, vat: Vat): RpcError {
  const cause = detail.length === 0 ? undefined : decodeDetail(detail, vat)
  return new RpcError(type, reason, cause === undefined ? { origin: 'remote' } : { origin: 'remote', cause })
}

function exception(type: RpcErrorType, message: string, thrown: unknown, vat: Vat): WireException {
  return { type, reason: String(message).slice(0, longestReason), detail: encodeDetail(thrown, vat) }
}

function encodeDetail(thrown: unknown, vat: Vat): Uint8Array {
  if (thrown === undefined) return noDetail
  try {
    const payload = encodeValue(thrown, 'error', 'lent', vat.values.outgoing, vat.values.limits)
    payload.release()
    if (payload.plain) return payload.content
  } catch {
    // It has something in it that cannot travel: the message goes alone.
  }
  return noDetail
}

function decodeDetail(detail: Uint8Array, vat: Vat): unknown {
  try {
    return decodeValue(new Payload(detail), { ...vat.incoming, stub: none }, vat.values.limits).value
  } catch (error) {
    return error
  }
}

function none(_cap: Capability): object {
  throw new RpcError('failed', 'an exception bears no capabilities', { origin: 'remote' })
}
