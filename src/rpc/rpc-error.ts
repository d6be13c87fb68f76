/**
 * RpcError: how a call ends that did not return. Its types are rpc.capnp's (`Exception.Type`).
 */
import { type ErrorOrigin, PillionError } from '../errors.js'

/**
 * - `failed`: the method threw, or the call was wrong; trying again would fail again.
 * - `overloaded`: a limit was met; it may work later.
 * - `disconnected`: the session has ended, or the object is gone; it may work over a new session.
 * - `unimplemented`: there is no such method.
 */
export type RpcErrorType = 'failed' | 'overloaded' | 'disconnected' | 'unimplemented'

export const rpcErrorTypes: readonly RpcErrorType[] = ['failed', 'overloaded', 'disconnected', 'unimplemented']

export interface RpcErrorOptions extends ErrorOptions {
  readonly origin?: ErrorOrigin
}

/**
 * What the callee threw is its `cause`, as far as it could travel. A method may throw an RpcError itself to say which
 * type its caller is to see.
 */
export class RpcError extends PillionError {
  readonly code = 'ERR_PILLION_RPC'
  readonly origin: ErrorOrigin
  readonly type: RpcErrorType

  constructor(type: RpcErrorType, message: string, options: RpcErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.type = type
    this.origin = options.origin ?? (type === 'disconnected' ? 'system' : 'local')
  }
}

/** Whatever was thrown, as what a call can end with. Never throws: also of what throws when it is looked at. */
export function asError(thrown: unknown): Error {
  try {
    if (!(thrown instanceof Error)) return new RpcError('failed', String(thrown), { cause: thrown })
    String(thrown.message) // an accessor may stand for it, or an object without a text
    return thrown
  } catch {
    return new RpcError('failed', 'what was thrown has no text', { cause: thrown })
  }
}
