/**
 * pillion/adapters/capnp-ts: the RPC of capnp-ts over a frame stream by capnp(), with the descriptors that Cap'n Proto attaches
 * to capabilities.
 */
import { type Client, Conn, type ConnOptions, type Server } from 'capnp-ts'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { attach, attachedTo } from '../capnp/attached.js'
import type { FrameTransportOptions } from '../capnp/frame-link.js'
import type { UntakenOptions } from '../link/untaken.js'
import { extend } from './extended-conn.js'
import { FrameTransport } from './frame-transport.js'

export type { FrameTransportOptions } from '../capnp/frame-link.js'
export type { UntakenOptions } from '../link/untaken.js'
export { FrameTransport } from './frame-transport.js'

/**
 * From now on a duplicate of the descriptor travels with this capability each time it is sent by a connection of
 * `createConn`. It stays the caller's, to be closed once the capability is not sent any more.
 */
export function attachDescriptor(server: Server, descriptor: Descriptor): void {
  attach(server, descriptor)
}

/**
 * What came with a capability; undefined: nothing. It is the connection's: closed when it ends, and if the capability came
 * with calls, when the last of them has been answered. Take or duplicate it before. Throws DescriptorLostError where it was lost.
 * @param client a generated client, or what one is made of
 */
export function descriptorOf(client: Client | { readonly client: Client }): Descriptor | undefined {
  return attachedTo('client' in client ? client.client : client)
}

/**
 * A connection that owns the stream. Calls reject when the stream ends, when they cannot be sent, and when the peer does not
 * implement them; messages that cannot be end it, with an RpcError to `onError`.
 *
 * Throws UsageError for a stream of another codec than capnp(), and where the library is another than is known here.
 */
export function createConn(
  stream: FrameStream,
  options: ConnOptions & FrameTransportOptions & UntakenOptions = {},
): Conn {
  const transport = new FrameTransport(stream, options)
  const conn = new Conn(transport, options)
  extend(conn, transport, options)
  return conn
}
