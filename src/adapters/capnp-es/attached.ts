/**
 * Descriptors of capabilities, as this library has them; and those of messages between transport and connection.
 */
import type { Client, Message } from 'capnp-es'
import { CapDescriptor, type Payload, Message as RpcMessage } from 'capnp-es/capnp/rpc'
import type { Descriptor } from '../../stream/index.js'
import { attach, attachedTo, Incoming, noIndex, Outgoing } from '../capnp/attached.js'
import type { KeptDescriptors } from '../capnp/kept-descriptors.js'

type Caps = { readonly _capnp: { readonly capTable?: (Client | null)[] } }

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
 * with calls, when the last of them has been answered. Take or duplicate it before. Throws DescriptorLostError where it was lost.
 * @param client a generated client, or what one is made of
 */
export function descriptorOf(client: Client | { readonly client: Client }): Descriptor | undefined {
  return attachedTo(innermost('client' in client && typeof client.client === 'object' ? client.client : client))
}

/** Writes down what travels with a capability that is being sent. */
export function enlist(entry: CapDescriptor, client: Client): void {
  if (entry.which() !== CapDescriptor.SENDER_HOSTED) return
  const { message } = entry.segment
  const list = outgoing.get(message) ?? new Outgoing()
  const index = list.enlist(innermost(client))
  if (index === noIndex) return
  outgoing.set(message, list)
  entry.attachedFd = index
}

/** Gives the capabilities of a received message, from this one on those of its table, what came with them; and keeps it. */
export function claim(payload: Payload, first: number, kept: KeptDescriptors): void {
  const { message } = payload.segment
  const caps = capsOf(message)
  if (caps.length === first) return
  const attached = incoming.get(message) ?? Incoming.none
  const root = message.getRoot(RpcMessage)
  const question = root.which() === RpcMessage.CALL ? root.call.questionId : undefined
  for (const [i, entry] of [...payload.capTable].entries()) {
    const client = caps[first + i]
    if (client === null || client === undefined || entry.which() !== CapDescriptor.SENDER_HOSTED) continue
    kept.claim(attached, entry.attachedFd, innermost(client), question)
  }
}

export function capsOf(message: Message): (Client | null)[] {
  return (message as Caps)._capnp.capTable ?? []
}

/** The library counts references by wrappers, a new one each time. */
function innermost(client: object): object {
  let inner = client as { client?: unknown; rc?: unknown; call?: unknown }
  while (inner.rc !== undefined && typeof inner.client === 'function') inner = inner.client() as typeof inner
  return inner
}
