/**
 * A connection of the library's with descriptors, and with an end for every call.
 *
 * The library has a place for a transport and none for descriptors: where it writes and reads a message's table of
 * capabilities, and where it sends, a connection's own methods are taken, which its types call private.
 */
import { type Client, type Conn, Message } from 'capnp-ts'
import {
  CapDescriptor_Which,
  Message_Which,
  type Payload,
  Return_Which,
  Message as RpcMessage,
} from 'capnp-ts/src/std/rpc.capnp.js'
import { FrameTooLargeError, UsageError } from '../../errors.js'
import { RpcError } from '../../rpc/index.js'
import { Incoming, noIndex, Outgoing } from '../capnp/attached.js'
import { KeptDescriptors } from '../capnp/kept-descriptors.js'
import { checkPayload, checkTarget, kindOf } from './checks.js'
import type { FrameTransport } from './frame-transport.js'

/** What a connection of capnp-ts 0.9 has besides its public methods. */
interface Internals {
  deliveryChain: Promise<unknown>
  readonly questions: Map<number, { reject(error: Error): void }>
  encodeCapTable(message: Message, payload: Payload): void
  decodeCapTable(message: Message, payload: Payload): void
  handleMessage(data: Uint8Array): void
  send(message: Message): void
}
type Target = { readonly _target?: { readonly tag: string; readonly server?: object } }
type Caps = { readonly _capnp: { readonly capTable?: readonly (Client | null)[] } }

/** Throws UsageError where the library is another than is known here. */
export function extend(conn: Conn, transport: FrameTransport): void {
  new Extended(conn as unknown as Internals, transport)
}

class Extended {
  readonly #conn: Internals
  readonly #transport: FrameTransport
  readonly #outgoing = new WeakMap<Message, Outgoing>()
  readonly #kept = new KeptDescriptors()
  /** Of the message that is being handled. */
  #kind = Message_Which.UNIMPLEMENTED

  constructor(conn: Internals, transport: FrameTransport) {
    this.#conn = conn
    this.#transport = transport
    for (const name of ['encodeCapTable', 'decodeCapTable', 'handleMessage', 'send'] as const) {
      if (typeof conn[name] !== 'function') throw new UsageError(`this version of capnp-ts has no Conn.${name}`)
    }
    const { encodeCapTable, decodeCapTable, handleMessage } = conn
    conn.encodeCapTable = (message, payload) => {
      encodeCapTable.call(conn, message, payload)
      this.#enlist(message, payload)
    }
    conn.decodeCapTable = (message, payload) => {
      checkPayload(message, payload, this.#kind)
      decodeCapTable.call(conn, message, payload)
      if (transport.attached !== Incoming.none) this.#claim(message, payload)
    }
    conn.handleMessage = (data) => {
      const kind = kindOf(data)
      if (kind === Message_Which.UNIMPLEMENTED) {
        this.#unimplemented(new Message(data, false).getRoot(RpcMessage).getUnimplemented())
        return
      }
      if (Message_Which[kind] === undefined) throw new Error(`there is no message ${kind}`)
      if (kind === Message_Which.DISEMBARGO) {
        checkTarget(new Message(data, false).getRoot(RpcMessage).getDisembargo().getTarget())
      }
      this.#kind = kind
      handleMessage.call(conn, data)
      if (kind === Message_Which.CALL) this.#watchDelivery()
    }
    conn.send = (message) => this.#send(message)
    transport.onEnd = () => this.#kept.closeAll()
  }

  #enlist(message: Message, payload: Payload): void {
    const caps = (message as Caps)._capnp.capTable
    if (caps === undefined) return
    const outgoing = new Outgoing()
    for (const [i, client] of caps.entries()) {
      const { tag, server } = (client as Target | null)?._target ?? {}
      const index = tag === 'local' && server !== undefined ? outgoing.enlist(server) : noIndex
      if (index !== noIndex) payload.getCapTable().get(i).setAttachedFd(index)
    }
    if (outgoing.descriptors.length > 0) this.#outgoing.set(message, outgoing)
  }

  #claim(message: Message, payload: Payload): void {
    const caps = (message as Caps)._capnp.capTable
    if (caps === undefined) return
    const isCall = this.#kind === Message_Which.CALL
    const question = isCall ? message.getRoot(RpcMessage).getCall().getQuestionId() : undefined
    for (const [i, entry] of payload.getCapTable().toArray().entries()) {
      const client = caps[i]
      if (!client || entry.which() !== CapDescriptor_Which.SENDER_HOSTED) continue
      const claimed = this.#transport.attached.claim(entry.getAttachedFd(), client)
      if (claimed !== undefined) this.#kept.keep(claimed, question)
    }
  }

  /** Throws for a call that cannot be sent; an answer that cannot is one that says so. */
  #send(message: Message): void {
    const outgoing = this.#outgoing.get(message)
    const bytes = new Uint8Array(message.toArrayBuffer())
    const kind = kindOf(bytes)
    try {
      this.#transport.send(bytes, outgoing?.descriptors)
    } catch (error) {
      this.#unsent(message, error as Error)
      if (kind === Message_Which.CALL || kind === Message_Which.BOOTSTRAP) throw error
    } finally {
      if (kind === Message_Which.RETURN && this.#kept.haveCalls) {
        this.#kept.closeCall(message.getRoot(RpcMessage).getReturn().getAnswerId())
      }
    }
  }

  #unsent(message: Message, error: Error): void {
    const root = message.getRoot(RpcMessage)
    switch (root.which()) {
      case Message_Which.CALL:
        this.#reject(root.getCall().getQuestionId(), error)
        break
      case Message_Which.BOOTSTRAP:
        this.#reject(root.getBootstrap().getQuestionId(), error)
        break
      case Message_Which.RETURN: {
        const answer = root.getReturn()
        if (this.#transport.closed) break
        if (answer.which() === Return_Which.EXCEPTION && !(error instanceof FrameTooLargeError)) {
          this.#transport.destroy(error)
        } else {
          this.#answerWith(answer.getAnswerId(), error)
        }
        break
      }
      default: // it answers something that has no answer by now
        if (!this.#transport.closed) this.#transport.destroy(error)
    }
  }

  #answerWith(id: number, error: Error): void {
    const message = new Message()
    const answer = message.initRoot(RpcMessage).initReturn()
    answer.setAnswerId(id)
    answer.initException().setReason(error.message)
    try {
      this.#transport.send(new Uint8Array(message.toArrayBuffer()))
    } catch (again) {
      this.#transport.destroy(again as Error)
    }
  }

  #reject(id: number, error: Error): void {
    this.#conn.questions.get(id)?.reject(error)
    this.#conn.questions.delete(id)
  }

  #unimplemented(message: RpcMessage): void {
    if (message.which() !== Message_Which.CALL) return
    const error = new RpcError('unimplemented', 'the peer does not implement this call', { origin: 'remote' })
    this.#reject(message.getCall().getQuestionId(), error)
  }

  /** Where a call's target is found only later, what is wrong with it would be nobody's error. */
  #watchDelivery(): void {
    this.#conn.deliveryChain.catch((cause: unknown) => {
      if (this.#transport.closed) return
      this.#transport.destroy(new RpcError('failed', `a call cannot be: ${String(cause)}`, { origin: 'remote', cause }))
    })
  }
}
