/**
 * Descriptors of capabilities, as this library has them: a message's capabilities are its table, and beside each stands what
 * is attached to it.
 */
import type { Client, Message } from 'capnp-ts'
import { CapDescriptor_Which, type Payload } from 'capnp-ts/src/std/rpc.capnp.js'
import type { Descriptor } from '../../stream/index.js'
import { type Incoming, noIndex, Outgoing } from '../capnp/attached.js'
import { KeptDescriptors } from '../capnp/kept-descriptors.js'

type Target = { readonly _target?: { readonly tag: string; readonly server?: object } }
type Caps = { readonly _capnp: { readonly capTable?: readonly (Client | null)[] } }

/** Of a connection. */
export class Attachments {
  readonly kept: KeptDescriptors
  readonly #outgoing = new WeakMap<Message, readonly Descriptor[]>()

  constructor(maxUntaken: number | undefined) {
    this.kept = new KeptDescriptors(maxUntaken)
  }

  /** Writes down what travels with the message's capabilities. */
  enlist(message: Message, payload: Payload): void {
    const caps = (message as Caps)._capnp.capTable
    if (caps === undefined) return
    const outgoing = new Outgoing()
    for (const [i, client] of caps.entries()) {
      const { tag, server } = (client as Target | null)?._target ?? {}
      const index = tag === 'local' && server !== undefined ? outgoing.enlist(server) : noIndex
      if (index !== noIndex) payload.getCapTable().get(i).setAttachedFd(index)
    }
    if (outgoing.descriptors.length > 0) this.#outgoing.set(message, outgoing.descriptors)
  }

  /** What travels with it, borrowed. */
  of(message: Message): readonly Descriptor[] | undefined {
    return this.#outgoing.get(message)
  }

  /** Gives the message's capabilities what came with them. Throws RpcError where that is too much. @param question that of a call */
  claim(message: Message, payload: Payload, attached: Incoming, question: number | undefined): void {
    const caps = (message as Caps)._capnp.capTable
    if (caps === undefined) return
    for (const [i, entry] of payload.getCapTable().toArray().entries()) {
      const client = caps[i]
      if (!client || entry.which() !== CapDescriptor_Which.SENDER_HOSTED) continue
      this.kept.claim(attached, entry.getAttachedFd(), client, question)
    }
  }
}
