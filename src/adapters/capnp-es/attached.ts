/**
 * Descriptors of capabilities, as this library has them; and those of messages between transport and connection.
 */
import type { Client, Message } from 'capnp-es'
import type { Descriptor } from '../../stream/index.js'
import { attach, attachedTo, type Incoming, type Outgoing } from '../capnp/attached.js'

export const outgoing = new WeakMap<Message, Outgoing>()
export const incoming = new WeakMap<Message, Incoming>()

/**
 * From now on a duplicate of the descriptor travels with this capability, an instance of a generated `Server` class, each time
 * it is sent by a FrameConn. It stays the caller's, to be closed once the capability is not sent any more.
 */
export function attachDescriptor(server: Client, descriptor: Descriptor): void {
  attach(innermost(server), descriptor)
}

/**
 * What came with a capability; undefined: nothing. It is the connection's: closed when it ends, and if the capability came
 * with a call, when that has been answered. Take or duplicate it before. Throws DescriptorLostError where it was lost.
 * @param client a generated client, or what one is made of
 */
export function descriptorOf(client: Client | { readonly client: Client }): Descriptor | undefined {
  return attachedTo(innermost('client' in client && typeof client.client === 'object' ? client.client : client))
}

/** The library counts references by wrappers, a new one each time. */
export function innermost(client: object): object {
  let inner = client as { client?: unknown; rc?: unknown; call?: unknown }
  while (inner.rc !== undefined && typeof inner.client === 'function') inner = inner.client() as typeof inner
  return inner
}
