/**
 * What ends a connection of which a message cannot be.
 */
import { RpcError } from '../../rpc/index.js'

/** @param thrown by a library that reads the message, or by what is looked at before */
export function brokenBy(thrown: unknown): RpcError {
  if (thrown instanceof RpcError) return thrown // says itself why
  return new RpcError('failed', `a message cannot be: ${String(thrown)}`, { origin: 'remote', cause: thrown })
}
