/**
 * What marks stand for: values that JavaScript has and MessagePack does not, of their parts. Each throws for parts that make
 * none.
 */
import { RpcError, type RpcErrorType, rpcErrorTypes } from '../rpc-error.js'
import { mostBigintDigits } from './limits.js'
import { binaryKinds } from './tags.js'

/** A copy: what was received is valid only for now. */
export function ownBytes(view: Uint8Array): Uint8Array {
  return new Uint8Array(view)
}

export function binaryOf(kind: unknown, bytes: unknown): unknown {
  const type = binaryKinds[kind as number]
  if (!Number.isInteger(kind) || type === undefined || !(bytes instanceof Uint8Array))
    throw refused('a binary that is none')
  const { buffer } = ownBytes(bytes)
  if (type === ArrayBuffer) return buffer
  const width = 'BYTES_PER_ELEMENT' in type ? type.BYTES_PER_ELEMENT : 1
  if (buffer.byteLength % width !== 0) throw refused('a typed array with a part of an element')
  return new (type as new (buffer: ArrayBufferLike) => ArrayBufferView)(buffer)
}

export function bigintOf(digits: unknown): bigint {
  if (typeof digits !== 'string') throw refused('a bigint that is no string')
  const negative = digits.startsWith('-')
  const magnitude = negative ? digits.slice(1) : digits
  if (magnitude.length > mostBigintDigits || !/^[0-9a-f]+$/.test(magnitude)) throw refused('a bigint that is none')
  return negative ? -BigInt(`0x${magnitude}`) : BigInt(`0x${magnitude}`)
}

export function regexpOf(source: unknown, flags: unknown): RegExp {
  if (typeof source === 'string' && typeof flags === 'string') {
    try {
      return new RegExp(source, flags)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  throw refused('a regular expression that is none')
}

const errorTypes: Readonly<Record<string, new (message: string) => Error>> = Object.freeze(
  Object.assign(Object.create(null), { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError }),
)

export function errorOf(parts: Record<string, unknown>): Error {
  const { name, message, code, type, stack } = parts
  if (typeof name !== 'string' || typeof message !== 'string') throw refused('an error without name or message')
  const options = 'cause' in parts ? { cause: parts.cause } : {}
  if (rpcErrorTypes.includes(type as RpcErrorType)) {
    return new RpcError(type as RpcErrorType, message, { ...options, origin: 'remote' })
  }
  const error = new (errorTypes[name] ?? Error)(message)
  const set = (key: string, value: unknown) =>
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: key === 'code' })
  if (error.name !== name) set('name', name)
  if ('cause' in parts) set('cause', parts.cause)
  if (typeof code === 'string' || typeof code === 'number') set('code', code)
  // Ours would show where it was decoded.
  set('stack', typeof stack === 'string' ? stack : `${name}: ${message}`)
  return error
}

export function refused(what: string): RpcError {
  return new RpcError('failed', `a value that cannot be: ${what}`, { origin: 'remote' })
}
