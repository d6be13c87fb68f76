/**
 * A connection's messages on their way out, and what becomes of those that cannot be sent: the library would leave their
 * questions pending, or end the process by an unhandled rejection.
 */
import type { Conn } from 'capnp-es'
import { Message, Return } from 'capnp-es/capnp/rpc'
import type { KeptDescriptors } from '../capnp/kept-descriptors.js'
import type { FrameTransport } from './frame-transport.js'
import { answeredBy, asked } from './questions.js'

export class Sending {
  readonly #conn: Conn
  readonly #frames: FrameTransport
  readonly #kept: KeptDescriptors

  constructor(conn: Conn, frames: FrameTransport, kept: KeptDescriptors) {
    this.#conn = conn
    this.#frames = frames
    this.#kept = kept
  }

  /**
   * Throws nothing: a call that cannot be sent rejects, an answer that cannot is one that says so.
   * @param ended what has ended the connection; calls reject with it
   */
  send(message: Message, ended: Error | undefined): void {
    try {
      this.#frames.sendMessage(message)
    } catch (error) {
      this.#unsent(message, error as Error, ended)
    }
    const question = answeredBy(message)
    if (question !== undefined) this.#kept.answered(question)
  }

  #unsent(message: Message, error: Error, ended: Error | undefined): void {
    const question = asked(this.#conn, message)
    const isAnswer = message.which() === Message.RETURN
    if (question !== null && question !== undefined) this.#conn.popQuestion(question.id)?.reject(ended ?? error)
    else if (this.#frames.closed) return
    else if (isAnswer && message.return.which() !== Return.EXCEPTION) {
      this.#conn.sendReturnException(message.return.answerId, error)
    } else this.#frames.destroy(error) // it answers something, and nothing else can
  }
}
