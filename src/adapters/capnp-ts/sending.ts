/**
 * A connection's messages on their way out, and what becomes of those that cannot be sent: the library would leave their
 * calls pending, or end the process by an unhandled rejection.
 */
import { Message } from 'capnp-ts'
import { Message_Which, type Payload, Return_Which, Message as RpcMessage } from 'capnp-ts/src/std/rpc.capnp.js'
import { FrameTooLargeError } from '../../errors.js'
import type { Attachments } from './attached.js'
import type { FrameTransport } from './frame-transport.js'
import { bytesOf, finishOf, kindOf, questionOf } from './messages.js'

/** Of the library's connection, by id. */
export type Questions = Map<number, { resolve(payload: Payload): void; reject(error: Error): void }>

export class Sending {
  readonly #questions: Questions
  readonly #transport: FrameTransport
  readonly #attachments: Attachments

  constructor(questions: Questions, transport: FrameTransport, attachments: Attachments) {
    this.#questions = questions
    this.#transport = transport
    this.#attachments = attachments
  }

  /** Throws for a call that cannot be sent, and rejects it; an answer that cannot is one that says so. */
  send(message: Message): void {
    const bytes = bytesOf(message)
    const kind = kindOf(bytes)
    const answered = kind === Message_Which.RETURN ? questionOf(bytes) : undefined
    try {
      this.#transport.send(bytes, this.#attachments.of(message))
    } catch (error) {
      this.#unsent(message, error as Error)
      if (kind === Message_Which.CALL || kind === Message_Which.BOOTSTRAP) throw error
    } finally {
      if (answered !== undefined) this.#attachments.kept.answered(answered)
    }
  }

  finish(question: number): void {
    try {
      this.#transport.send(finishOf(question))
    } catch (error) {
      this.#endBy(error as Error)
    }
  }

  reject(question: number, error: Error): void {
    this.#questions.get(question)?.reject(error)
    this.#questions.delete(question)
  }

  #unsent(message: Message, error: Error): void {
    const root = message.getRoot(RpcMessage)
    const kind = root.which()
    if (kind === Message_Which.CALL) this.reject(root.getCall().getQuestionId(), error)
    else if (kind === Message_Which.BOOTSTRAP) this.reject(root.getBootstrap().getQuestionId(), error)
    else if (kind !== Message_Which.RETURN) this.#endBy(error)
    else {
      const answer = root.getReturn()
      const isError = answer.which() === Return_Which.EXCEPTION && !(error instanceof FrameTooLargeError)
      if (isError) this.#endBy(error)
      else if (!this.#transport.closed) this.#answerWith(answer.getAnswerId(), error)
    }
  }

  #answerWith(id: number, error: Error): void {
    const message = new Message()
    const answer = message.initRoot(RpcMessage).initReturn()
    answer.setAnswerId(id)
    answer.initException().setReason(error.message)
    try {
      this.#transport.send(bytesOf(message))
    } catch (again) {
      this.#endBy(again as Error)
    }
  }

  /** What was not sent answers something, and nothing else can. */
  #endBy(error: Error): void {
    if (!this.#transport.closed) this.#transport.destroy(error)
  }
}
