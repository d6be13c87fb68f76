/**
 * Which descriptor belongs to which capability, and which ones travel with which message. `attachedFd` of a CapDescriptor is
 * an index into the message's own list of descriptors; 255 or past its end: there is none.
 */
import type { Client, Message } from 'capnp-es'
import { ClosedError, DescriptorLostError, UsageError } from '../../errors.js'
import { Descriptor } from '../../stream/index.js'

export const noIndex = 255

/** A message's descriptors, or why it cannot be sent. */
export type Outgoing = { readonly descriptors: Descriptor[]; failure?: Error }
/** Those that no capability has taken yet are `undefined` when it has. */
export type Incoming = { readonly descriptors: (Descriptor | undefined)[]; readonly lost: number }

export const outgoing = new WeakMap<Message, Outgoing>()
export const incoming = new WeakMap<Message, Incoming>()

const ours = new WeakMap<object, Descriptor>()
const theirs = new WeakMap<object, Descriptor | DescriptorLostError>()

/**
 * From now on a duplicate of the descriptor travels with this capability, an instance of a generated `Server` class, each time
 * it is sent by a FrameConn. It stays the caller's, to be closed once the capability is not sent any more.
 */
export function attachDescriptor(server: Client, descriptor: Descriptor): void {
  if (!(descriptor instanceof Descriptor)) throw new UsageError('what is attached to a capability is a Descriptor')
  ours.set(innermost(server), descriptor)
}

/**
 * What came with a capability; undefined: nothing. It is the connection's: closed when it ends, and if the capability came
 * with a call, when that has been answered. Take or duplicate it before. Throws DescriptorLostError where it was lost.
 * @param client a generated client, or what one is made of
 */
export function descriptorOf(client: Client | { readonly client: Client }): Descriptor | undefined {
  const found = theirs.get(innermost('client' in client && typeof client.client === 'object' ? client.client : client))
  if (found instanceof DescriptorLostError) throw found
  return found
}

/** The index under which the capability's descriptor goes with the message. */
export function enlist(message: Message, client: Client): number {
  const descriptor = ours.get(innermost(client))
  if (descriptor === undefined) return noIndex
  const list: Outgoing = outgoing.get(message) ?? { descriptors: [] }
  outgoing.set(message, list)
  if (descriptor.closed) list.failure ??= new ClosedError('the descriptor attached to a capability is closed')
  if (list.descriptors.length >= noIndex) list.failure ??= new UsageError('a message has 255 descriptors at most')
  return list.descriptors.push(descriptor) - 1
}

/** Gives the capability what came with it; the caller's to close. An index counts once. */
export function claim(message: Message, index: number, client: Client): Descriptor | undefined {
  const list = incoming.get(message)
  if (list === undefined || index === noIndex) return undefined
  const key = innermost(client)
  const descriptor = list.descriptors[index]
  if (descriptor === undefined) {
    if (index >= list.descriptors.length && list.lost > 0 && !theirs.has(key)) {
      theirs.set(key, new DescriptorLostError('the descriptor of a capability was lost'))
    }
    return undefined
  }
  const known = theirs.get(key)
  if (known instanceof Descriptor && !known.closed) return undefined // the capability has come before
  list.descriptors[index] = undefined
  theirs.set(key, descriptor)
  return descriptor
}

/** Closes what no capability has claimed. */
export function closeUnclaimed(message: Message): void {
  for (const descriptor of incoming.get(message)?.descriptors ?? []) descriptor?.close()
  incoming.delete(message)
}

/** The library counts references by wrappers, a new one each time. */
function innermost(client: object): object {
  let inner = client as { client?: unknown; rc?: unknown; call?: unknown }
  while (inner.rc !== undefined && typeof inner.client === 'function') inner = inner.client() as typeof inner
  return inner
}
