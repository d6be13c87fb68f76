/**
 * The connection: the library's own, with descriptors, and with an end.
 *
 * Of itself it leaves questions unanswered when the stream ends; lets a failing method, a broken message or an answer that
 * cannot be sent end the process by an unhandled rejection; and does not look at attached descriptors.
 */
import { type Client, Conn, type Method, type Struct } from 'capnp-es'
import { type CapDescriptor, Message, type Payload, Return } from 'capnp-es/capnp/rpc'
import { ClosedError } from '../../errors.js'
import { setImmediate } from '../../event-loop.js'
import { RpcError } from '../../rpc/index.js'
import type { FrameStream } from '../../stream/index.js'
import { brokenBy } from '../capnp/broken-by.js'
import type { FrameTransportOptions } from '../capnp/frame-link.js'
import { KeptDescriptors } from '../capnp/kept-descriptors.js'
import type { UntakenOptions } from '../link/untaken.js'
import { answerBootstrap, mend } from './answers.js'
import { capsOf, claim, enlist, incoming } from './attached.js'
import { checkPayload, checkTarget } from './checks.js'
import { FrameTransport } from './frame-transport.js'
import { replacePromised } from './promised.js'
import { answered, rejectUnimplemented, rejectWithoutResults } from './questions.js'
import { checkConn } from './replaced.js'
import { Sending } from './sending.js'

export class FrameConn extends Conn {
  readonly #kept: KeptDescriptors
  readonly #frames: FrameTransport
  readonly #sending: Sending
  #ended: Error | undefined

  /**
   * Owns the stream, whose codec is capnp() (else UsageError, as where the library is another than is known here). Messages wait in
   * the stream until the event loop has gone round once: by then it has been given its main interface, if it gets one. Errors go to
   * `onError` as the library has it; without it, to whoever has a question open.
   */
  constructor(stream: FrameStream, options: FrameTransportOptions & UntakenOptions = {}) {
    checkConn()
    const transport = new FrameTransport(stream, { ...options, keepsDescriptors: true })
    super(transport)
    this.#frames = transport
    this.#kept = new KeptDescriptors(options.maxUntaken)
    this.#sending = new Sending(this, transport, this.#kept)
    this.onError = () => {} // without any, the library throws it into the void
  }

  /** The library calls it in its constructor. What had come before `initMain` would be refused. */
  override startWork(): void {
    setImmediate(() => void this.#receive())
  }

  override shutdown(error?: Error): void {
    this.#end(error ?? new ClosedError('the connection was shut down'))
    if (error === undefined) this.#kept.closeAll() // by its owner; the library does it when the peer aborts
    super.shutdown(error)
  }

  override insertAnswer(id: number): ReturnType<Conn['insertAnswer']> {
    const answer = super.insertAnswer(id)
    if (answer === null) return answer
    answer.deferred.promise.catch(() => {}) // it is told to the peer
    mend(answer)
    return answer
  }

  override handleCallMessage(message: Message): void {
    const { questionId, target } = message.call
    checkTarget(target)
    this.#kept.asked(questionId)
    super.handleCallMessage(message)
  }

  override handleBootstrapMessage(message: Message): void {
    this.#kept.asked(message.bootstrap.questionId)
    const answer = this.main === undefined ? null : this.insertAnswer(message.bootstrap.questionId)
    if (this.main === undefined || answer === null) super.handleBootstrapMessage(message)
    else answerBootstrap(answer, this.main)
  }

  override newQuestion<P extends Struct, R extends Struct>(
    method?: Method<P, R>,
  ): ReturnType<typeof Conn.prototype.newQuestion<P, R>> {
    const question = super.newQuestion(method)
    question.deferred.promise.catch(() => {}) // whoever awaits it is told all the same, and nobody does if it is not sent
    return question
  }

  override handleReturnMessage(message: Message): void {
    const { return: answer } = message
    const kind = answer.which()
    if (kind === Return.RESULTS || kind === Return.EXCEPTION) super.handleReturnMessage(message)
    else rejectWithoutResults(this, answer) // the library would forget the question, and leave it pending
  }

  /** Throws nothing. */
  override sendMessage(message: Message): void {
    this.#sending.send(message, this.#ended)
  }

  override handleMessage(message: Message): void {
    if (this.#ended !== undefined) return // the transport had given it out before it was told of the end
    if (message.which() === Message.UNIMPLEMENTED) rejectUnimplemented(this, message.unimplemented)
    else super.handleMessage(message)
  }

  override descriptorForClient(descriptor: CapDescriptor, client: Client): void {
    try {
      super.descriptorForClient(descriptor, client)
    } catch {
      descriptor.senderHosted = this.addExport(client) // of results that cannot be read: calls on it fail, by their own error
    }
    enlist(descriptor, client)
  }

  override populateMessageCapTable(payload: Payload): void {
    this.#check(() => checkPayload(payload))
    const first = capsOf(payload.segment.message).length
    super.populateMessageCapTable(payload)
    replacePromised(payload.segment.message, first)
    this.#check(() => claim(payload, first, this.#kept))
  }

  /** Once the collector has taken all that stood for a capability, the library would give out an error in its place for good. */
  override addImport(id: number): Client {
    if (this.imports[id]?.rc.refs === 0) delete this.imports[id]
    return super.addImport(id)
  }

  async #receive(): Promise<void> {
    this.working = true
    try {
      for (;;) this.#handle(await this.#frames.recvMessage())
    } catch (error) {
      this.working = false
      this.#end((error as Error | undefined) ?? new RpcError('disconnected', 'the peer has ended the connection'))
      if (error !== undefined) this.onError?.(error as Error)
    }
  }

  #handle(message: Message): void {
    let question: ReturnType<Conn['findQuestion']> = null
    try {
      question = answered(this, message)
      this.handleMessage(message)
    } catch (cause) {
      const error = brokenBy(cause)
      question?.cancel(error) // the library has forgotten it
      this.#frames.destroy(error)
      throw error
    } finally {
      incoming.get(message.segment.message)?.close()
    }
  }

  /** What it throws ends the connection: the library would answer a call that it is not implemented, and go on. */
  #check(look: () => void): void {
    try {
      look()
    } catch (cause) {
      const error = brokenBy(cause)
      this.#frames.destroy(error)
      throw error
    }
  }

  #end(error: Error): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    for (const question of this.questions.splice(0)) question?.cancel(error)
    setImmediate(() => this.#kept.closeAll()) // whoever has just been given a result comes first
  }
}
