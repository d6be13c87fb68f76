/**
 * A connection's messages on their way in, as far as the library is not left to handle them by itself: what it would believe,
 * leave pending, or copy and read more often than is needed.
 */
import type { Message } from 'capnp-ts'
import { Message_Which, type Payload, Return_Which, Message as RpcMessage } from 'capnp-ts/src/std/rpc.capnp.js'
import { RpcError } from '../../rpc/index.js'
import { brokenBy } from '../capnp/broken-by.js'
import type { KeptDescriptors } from '../capnp/kept-descriptors.js'
import { withoutResults } from '../capnp/without-results.js'
import { checkDisembargo, checkTarget } from './checks.js'
import type { Delivery } from './delivery.js'
import type { FrameTransport } from './frame-transport.js'
import { kindOf, questionOf, received } from './messages.js'
import type { Questions, Sending } from './sending.js'

/** What a connection of capnp-ts 0.9 has for it. */
export interface Handling {
  readonly answers: Map<number, unknown>
  readonly questions: Questions
  decodeCapTable(message: Message, payload: Payload): void
  handleCall(message: Message, question: number): void
}

export interface ReceivingParts {
  readonly conn: Handling
  readonly transport: FrameTransport
  readonly kept: KeptDescriptors
  readonly sending: Sending
  readonly delivery: Delivery
}

export class Receiving {
  readonly #parts: ReceivingParts
  #question: number | undefined

  constructor(parts: ReceivingParts) {
    this.#parts = parts
  }

  /** Of the call that is being handled. */
  get question(): number | undefined {
    return this.#question
  }

  /** False: the library is to handle it. */
  handle(data: Uint8Array): boolean {
    const kind = kindOf(data)
    switch (kind) {
      case Message_Which.CALL:
        this.#call(received(data))
        return true
      case Message_Which.RETURN:
        this.#return(received(data))
        return true
      case Message_Which.FINISH:
        this.#parts.conn.answers.delete(questionOf(data))
        return true
      case Message_Which.BOOTSTRAP:
        this.#parts.kept.asked(questionOf(data))
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
    const { conn, kept, delivery } = this.#parts
    const call = message.getRoot(RpcMessage).getCall()
    const isInAnswer = checkTarget(call.getTarget())
    this.#question = call.getQuestionId()
    try {
      kept.asked(this.#question)
      conn.handleCall(message, this.#question)
    } finally {
      this.#question = undefined
    }
    if (isInAnswer) delivery.watch((cause) => this.#broken(cause))
  }

  /** As the library does it; but a question is there until it is settled, so that the end of the connection rejects it. */
  #return(message: Message): void {
    const { conn, sending } = this.#parts
    const answer = message.getRoot(RpcMessage).getReturn()
    const id = answer.getAnswerId()
    const question = conn.questions.get(id)
    if (question === undefined) return
    const kind = answer.which()
    if (kind === Return_Which.RESULTS) {
      const results = answer.getResults()
      conn.decodeCapTable(message, results)
      question.resolve(results)
    } else {
      const isException = kind === Return_Which.EXCEPTION
      question.reject(isException ? new Error(answer.getException().getReason()) : withoutResults(kind))
    }
    conn.questions.delete(id)
    sending.finish(id)
  }

  #unimplemented(message: Message): void {
    const sent = message.getRoot(RpcMessage).getUnimplemented()
    if (sent.which() !== Message_Which.CALL) return
    const { conn, sending } = this.#parts
    const id = sent.getCall().getQuestionId()
    if (!conn.questions.has(id)) return
    sending.reject(id, new RpcError('unimplemented', 'the peer does not implement this call', { origin: 'remote' }))
    sending.finish(id) // the peer may hold the id for used until then
  }

  #broken(cause: unknown): void {
    const { transport } = this.#parts
    if (!transport.closed) transport.destroy(brokenBy(cause))
  }
}
