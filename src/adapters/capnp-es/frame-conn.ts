/**
 * The connection: the library's own, with descriptors, and with an end.
 *
 * Of itself it leaves questions unanswered when the stream ends; lets a failing method, a broken message or an answer that
 * cannot be sent end the process by an unhandled rejection; and does not look at attached descriptors.
 */
import { type Client, Conn, Interface, type Struct, Message as Whole } from 'capnp-es'
import { CapDescriptor, Message, type Payload, Return } from 'capnp-es/capnp/rpc'
import { ClosedError } from '../../errors.js'
import { RpcError } from '../../rpc/index.js'
import type { FrameStream } from '../../stream/index.js'
import { noIndex, Outgoing } from '../capnp/attached.js'
import type { FrameTransportOptions } from '../capnp/frame-link.js'
import { KeptDescriptors } from '../capnp/kept-descriptors.js'
import { incoming, innermost, outgoing } from './attached.js'
import { FrameTransport } from './frame-transport.js'

/** How a pointer begins that is a capability's. */
const interfacePointer = 3

/** Of one message: the list is gone through whole, whatever length a few bytes say that it has. */
const mostCapabilities = 4096

type Queue = Client & { readonly _client: Client; flushQueue(): void }
type Caps = { readonly _capnp: { readonly capTable?: (Client | null)[] } }

export class FrameConn extends Conn {
  readonly #kept = new KeptDescriptors()
  readonly #frames: FrameTransport
  #ended: Error | undefined

  /**
   * Owns the stream, whose codec is capnp() (else UsageError). To be made and given its main interface in one tick: messages
   * are handled from the next on. Errors go to `onError` as the library has it; without it, to whoever has a question open.
   */
  constructor(stream: FrameStream, options: FrameTransportOptions = {}) {
    const transport = new FrameTransport(stream, { ...options, keepsDescriptors: true })
    super(transport)
    this.#frames = transport
    this.onError = () => {} // without any, the library throws it into the void
  }

  /** Begins behind the constructor: the library calls it before there are fields. */
  override startWork(): void {
    queueMicrotask(() => void this.#receive())
  }

  override shutdown(error?: Error): void {
    this.#end(error ?? new ClosedError('the connection was shut down'))
    super.shutdown(error)
  }

  override insertAnswer(id: number): ReturnType<Conn['insertAnswer']> {
    const answer = super.insertAnswer(id)
    if (answer === null) return answer
    answer.deferred.promise.catch(() => {}) // it is told to the peer
    const { fulfill } = answer
    answer.fulfill = (results: Struct) => {
      fulfill.call(answer, results)
      // Calls that came for a capability in the results wait there, and the library sends none of them on. Nor does what they
      // wait in take a further one: it counts as full from the beginning.
      const caps = capsOf(results.segment.message)
      for (const [i, client] of caps.entries()) {
        if (!isQueue(client)) continue
        client.flushQueue()
        caps[i] = client._client
      }
    }
    return answer
  }

  /** The library answers with a null pointer, of which a second call by capnp-es or a first one by others makes an error. */
  override handleBootstrapMessage(message: Message): void {
    const answer = this.main === undefined ? null : this.insertAnswer(message.bootstrap.questionId)
    if (this.main === undefined || answer === null) {
      super.handleBootstrapMessage(message)
      return
    }
    const results = new Whole()
    const pointer = new Interface(results.getSegment(0), 0)
    pointer.segment.setUint32(pointer.byteOffset, interfacePointer)
    pointer.segment.setUint32(pointer.byteOffset + 4, results.addCap(this.main))
    answer.fulfill(pointer)
  }

  /** Throws nothing: a call that cannot be sent rejects, an answer that cannot is one that says so. */
  override sendMessage(message: Message): void {
    this.#asked(message)?.deferred.promise.catch(() => {}) // whoever awaits it is told all the same
    try {
      this.#frames.sendMessage(message)
    } catch (error) {
      this.#unsent(message, error as Error)
    }
    if (message.which() === Message.RETURN) this.#kept.closeCall(message.return.answerId)
  }

  override handleMessage(message: Message): void {
    try {
      if (this.#ended !== undefined) return // the transport had given it out before it was told of the end
      if (message.which() === Message.UNIMPLEMENTED) this.#unimplemented(message.unimplemented)
      else super.handleMessage(message)
    } finally {
      incoming.get(message.segment.message)?.close()
    }
  }

  override descriptorForClient(descriptor: CapDescriptor, client: Client): void {
    super.descriptorForClient(descriptor, client)
    if (descriptor.which() !== CapDescriptor.SENDER_HOSTED) return
    const { message } = descriptor.segment
    const list = outgoing.get(message) ?? new Outgoing()
    const index = list.enlist(innermost(client))
    if (index === noIndex) return
    outgoing.set(message, list)
    descriptor.attachedFd = index
  }

  override populateMessageCapTable(payload: Payload): void {
    const { message } = payload.segment
    const { length } = payload.capTable
    if (length > mostCapabilities) throw new Error(`a message has ${length} capabilities`)
    const first = capsOf(message).length
    super.populateMessageCapTable(payload)
    const attached = incoming.get(message)
    if (attached === undefined) return
    const root = message.getRoot(Message)
    const question = root.which() === Message.CALL ? root.call.questionId : undefined
    const caps = capsOf(message)
    for (const [i, descriptor] of [...payload.capTable].entries()) {
      const client = caps[first + i]
      if (client === null || client === undefined || descriptor.which() !== CapDescriptor.SENDER_HOSTED) continue
      const claimed = attached.claim(descriptor.attachedFd, innermost(client))
      if (claimed !== undefined) this.#kept.keep(claimed, question)
    }
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
    try {
      this.handleMessage(message)
    } catch (cause) {
      const error = new RpcError('failed', `a message cannot be: ${String(cause)}`, { origin: 'remote', cause })
      this.#frames.destroy(error)
      throw error
    }
  }

  #unimplemented(message: Message): void {
    if (message.which() !== Message.CALL) return
    const error = new RpcError('unimplemented', 'the peer does not implement this call', { origin: 'remote' })
    this.popQuestion(message.call.questionId)?.reject(error)
  }

  /** The question that the message asks. */
  #asked(message: Message): ReturnType<Conn['findQuestion']> {
    if (message.which() === Message.CALL) return this.findQuestion(message.call.questionId)
    if (message.which() === Message.BOOTSTRAP) return this.findQuestion(message.bootstrap.questionId)
    return null
  }

  #unsent(message: Message, error: Error): void {
    const reason = this.#ended ?? error
    switch (message.which()) {
      case Message.CALL:
      case Message.BOOTSTRAP: {
        const question = this.#asked(message)
        if (question !== null && question !== undefined) this.popQuestion(question.id)?.reject(reason)
        break
      }
      case Message.RETURN:
        if (error instanceof ClosedError && this.#frames.closed) break
        if (message.return.which() === Return.EXCEPTION) this.#frames.destroy(error)
        else this.sendReturnException(message.return.answerId, error)
        break
      default: // it answers something that has no answer by now
        if (!this.#frames.closed) this.#frames.destroy(error)
    }
  }

  #end(error: Error): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    for (const question of this.questions.splice(0)) question?.cancel(error)
    this.#kept.closeAll()
  }
}

function capsOf(message: Whole): (Client | null)[] {
  return (message as Caps)._capnp.capTable ?? []
}

function isQueue(client: Client | null): client is Queue {
  return client !== null && 'flushQueue' in client && '_client' in client
}
