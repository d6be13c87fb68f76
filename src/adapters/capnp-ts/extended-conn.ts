/**
 * A connection of the library's with descriptors, and with an end for every call.
 *
 * The library has a place for a transport and none for descriptors: where it writes and reads a message's table of
 * capabilities, and where it sends and receives, a connection's own methods are taken, which its types call private.
 */
import type { Conn, Message } from 'capnp-ts'
import { Message_Which, type Payload, Return_Which, Message as RpcMessage } from 'capnp-ts/src/std/rpc.capnp.js'
import { UsageError } from '../../errors.js'
import { RpcError } from '../../rpc/index.js'
import { brokenBy } from '../capnp/broken-by.js'
import type { KeptDescriptors } from '../capnp/kept-descriptors.js'
import type { UntakenOptions } from '../link/untaken.js'
import { Attachments } from './attached.js'
import { checkDisembargo, checkPayload, checkTarget } from './checks.js'
import { type Delivering, Delivery } from './delivery.js'
import type { FrameTransport } from './frame-transport.js'
import { kindOf, questionOf, received } from './messages.js'
import { type Questions, Sending } from './sending.js'

/** What a connection of capnp-ts 0.9 has besides its public methods. */
interface Internals extends Delivering {
  readonly answers: Map<number, unknown>
  readonly questions: Questions
  encodeCapTable(message: Message, payload: Payload): void
  decodeCapTable(message: Message, payload: Payload): void
  handleCall(message: Message, question: number): void
  handleMessage(data: Uint8Array): void
  handleReturn(message: Message): void
  send(message: Message): void
}

const methods = [
  'close',
  'dispatchCall',
  'encodeCapTable',
  'decodeCapTable',
  'handleCall',
  'handleMessage',
  'handleReturn',
  'send',
] as const

/** Throws UsageError where the library is another than is known here. */
export function extend(conn: Conn, transport: FrameTransport, { maxUntaken }: UntakenOptions): void {
  new Extended(conn as unknown as Internals, transport, maxUntaken)
}

class Extended {
  readonly #conn: Internals
  readonly #transport: FrameTransport
  readonly #kept: KeptDescriptors
  readonly #sending: Sending
  readonly #delivery: Delivery
  /** Of the call that is being handled. */
  #question: number | undefined

  constructor(conn: Internals, transport: FrameTransport, maxUntaken: number | undefined) {
    this.#conn = conn
    this.#transport = transport
    for (const name of methods) {
      if (typeof conn[name] !== 'function') throw new UsageError(`this version of capnp-ts has no Conn.${name}`)
    }
    const attachments = new Attachments(maxUntaken)
    this.#kept = attachments.kept
    this.#sending = new Sending(conn.questions, transport, attachments)
    this.#delivery = new Delivery(conn)
    const { encodeCapTable, decodeCapTable, handleMessage } = conn
    conn.encodeCapTable = (message, payload) => {
      encodeCapTable.call(conn, message, payload)
      attachments.enlist(message, payload)
    }
    conn.decodeCapTable = (message, payload) => {
      checkPayload(payload)
      decodeCapTable.call(conn, message, payload)
      attachments.claim(message, payload, transport.attached, this.#question)
    }
    conn.handleMessage = (data) => {
      if (!this.#handle(data)) handleMessage.call(conn, data)
    }
    conn.send = (message) => this.#sending.send(message)
    transport.onEnd = () => this.#delivery.end(() => this.#kept.closeAll())
  }

  /** False: the library is to handle it. */
  #handle(data: Uint8Array): boolean {
    const kind = kindOf(data)
    switch (kind) {
      case Message_Which.CALL:
        this.#call(received(data))
        return true
      case Message_Which.RETURN:
        this.#return(received(data))
        return true
      case Message_Which.FINISH:
        this.#conn.answers.delete(questionOf(data))
        return true
      case Message_Which.BOOTSTRAP:
        this.#kept.asked(questionOf(data))
        return false
      case Message_Which.UNIMPLEMENTED:
        this.#unimplemented(received(data))
        return true
      case Message_Which.DISEMBARGO:
        checkDisembargo(received(data))
        return false
      default:
        if (Message_Which[kind] === undefined) throw new Error(`there is no message ${kind}`)
        return false
    }
  }

  #call(message: Message): void {
    const call = message.getRoot(RpcMessage).getCall()
    const isInAnswer = checkTarget(call.getTarget())
    this.#question = call.getQuestionId()
    try {
      this.#kept.asked(this.#question)
      this.#conn.handleCall(message, this.#question)
    } finally {
      this.#question = undefined
    }
    if (isInAnswer) this.#delivery.watch((cause) => this.#broken(cause))
  }

  /** Results as the library takes them, but for its message that finishes them; and a question is there until it has them. */
  #return(message: Message): void {
    const answer = message.getRoot(RpcMessage).getReturn()
    const id = answer.getAnswerId()
    const question = this.#conn.questions.get(id)
    if (question === undefined || answer.which() !== Return_Which.RESULTS) {
      this.#conn.handleReturn(message)
      return
    }
    const results = answer.getResults()
    this.#conn.decodeCapTable(message, results)
    this.#conn.questions.delete(id)
    question.resolve(results)
    this.#sending.finish(id)
  }

  #unimplemented(message: Message): void {
    const sent = message.getRoot(RpcMessage).getUnimplemented()
    if (sent.which() !== Message_Which.CALL) return
    const id = sent.getCall().getQuestionId()
    if (!this.#conn.questions.has(id)) return
    const error = new RpcError('unimplemented', 'the peer does not implement this call', { origin: 'remote' })
    this.#sending.reject(id, error)
    this.#sending.finish(id) // the peer may hold the id for used until then
  }

  #broken(cause: unknown): void {
    if (!this.#transport.closed) this.#transport.destroy(brokenBy(cause))
  }
}
