/**
 * Returns that have neither results nor an exception in them. `sendResultsTo.caller` is all that these libraries ask for, and no
 * call is finished before it has returned.
 */
import { RpcError } from '../../rpc/index.js'

/** `canceled` of rpc.capnp. */
const canceled = 2

/**
 * What the call rejects with. Throws RpcError where the connection is to end: the results are said to be where nobody had asked
 * for them, and what the peer believes of its other calls is unknown.
 * @param kind the discriminant
 */
export function withoutResults(kind: number): RpcError {
  if (kind === canceled) return new RpcError('failed', 'the peer has canceled the call', { origin: 'remote' })
  throw new RpcError('failed', `a call was answered by a kind of return not asked for: ${kind}`, { origin: 'remote' })
}
