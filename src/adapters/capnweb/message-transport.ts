/**
 * MessageTransport: capnweb's messages as frames, in order, each whole; how a session ends; and one call that fails, where
 * capnweb would end the session for it.
 *
 * For that it follows the outer form of the messages: which is a call, which is whose answer. Knows no values.
 */
import { PillionError } from '../../errors.js'
import { FrameStreamTransport, RpcError } from '../../rpc/index.js'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { QueueLimit } from '../link/queue-limit.js'
import { closeAll } from '../link/unwanted.js'

export interface CapnwebOptions {
  /** Bytes that wait for the peer to read them; over it the session ends. Default 64 MiB. */
  readonly maxQueued?: number
}

/** The outer form of a message: its kind, and of an answer its call. */
export type Form = readonly unknown[]

export abstract class MessageTransport<Message> {
  protected readonly link: FrameStreamTransport
  readonly #stream: FrameStream
  readonly #limit: QueueLimit
  #started = false
  readonly #messages: Message[] = []
  #waiter: { resolve(message: Message): void; reject(error: Error): void } | undefined
  #ended: Error | undefined
  /** Calls and pipes so far: capnweb counts them at both ends. */
  #sent = 0
  #received = 0
  /** Calls of ours that could not be sent: what they will be answered with. */
  readonly #unsent = new Map<number, Error>()

  constructor(stream: FrameStream, { maxQueued }: CapnwebOptions) {
    this.link = new FrameStreamTransport(stream, { answers: 'by promises' })
    this.#stream = stream
    this.#limit = new QueueLimit(stream, maxQueued)
  }

  /** Nothing is received before the first of these, which is a session's: what came for nobody would have to be kept. */
  receive(): Promise<Message> {
    if (!this.#started) this.#start()
    const message = this.#messages.shift()
    if (message !== undefined) return Promise.resolve(message)
    if (this.#ended !== undefined) return Promise.reject(this.#ended)
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject }
    })
  }

  /** capnweb's last word: what was sent goes out, nothing more is received. */
  abort(reason: unknown): void {
    this.#end(reason instanceof Error ? reason : new RpcError('disconnected', String(reason)))
    this.#messages.length = 0
    this.link.close()
  }

  /** Bytes sent. Throws what ends the session. */
  protected transmit(message: Message, form: Form): number {
    if (this.#ended !== undefined) throw this.#ended
    this.#limit.check()
    const [kind, id] = form
    if (counts(kind)) this.#sent++
    else if (kind === 'release') this.#unsent.delete(id as number)
    try {
      return this.write(message)
    } catch (error) {
      return this.#writeInstead(kind, id, error)
    }
  }

  /** Of one message, sent whole or not at all. */
  protected abstract write(message: Message): number
  protected abstract read(payload: Uint8Array, descriptors: readonly Descriptor[], lost: number): Message
  protected abstract formOf(message: Message): Form
  protected abstract fromForm(form: Form): Message
  /** @param call of the peer's, by its number; 0: none */
  protected received(_call: number): void {}
  /** The peer has let go of a call of its own. True: when that is over has to be known here, answered or not. */
  protected letsGo(_call: number): boolean {
    return false
  }

  #start(): void {
    this.#started = true
    this.link.start({
      onFrame: (payload, descriptors, lost) => {
        try {
          if (this.#ended === undefined) this.#deliver(this.read(payload, descriptors, lost))
          else closeAll(descriptors)
        } catch (error) {
          this.#stream.destroy(error as Error)
        }
      },
      onBatchEnd: () => {},
      onEnd: (error) => this.#end(error ?? new RpcError('disconnected', 'the stream has ended')),
    })
  }

  /** One call fails, and the session goes on: the peer has to count the call all the same. */
  #writeInstead(kind: unknown, id: unknown, error: unknown): number {
    if (!(error instanceof PillionError)) throw error
    if (kind === 'resolve' || kind === 'reject') return this.write(this.fromForm(['reject', id, asForm(error)]))
    if (kind !== 'push' && kind !== 'stream') throw error
    const size = this.write(this.fromForm([kind, null]))
    this.#unsent.set(this.#sent, error)
    return size
  }

  #deliver(message: Message): void {
    const form = this.formOf(message)
    if (counts(form[0])) this.#received++
    this.received(form[0] === 'push' || form[0] === 'stream' ? this.#received : 0)
    // capnweb says of a call that it is over only if somebody asks for the answer; one that was asked for twice comes once.
    if (form[0] === 'release' && this.letsGo(form[1] as number)) this.#handOver(this.fromForm(['pull', form[1]]))
    this.#handOver(this.#unsent.size === 0 ? message : this.#unlessUnsent(message, form))
  }

  #handOver(message: Message): void {
    const waiter = this.#waiter
    this.#waiter = undefined
    if (waiter === undefined) this.#messages.push(message)
    else waiter.resolve(message)
  }

  #unlessUnsent(message: Message, [kind, id]: Form): Message {
    const error = kind === 'resolve' ? this.#unsent.get(id as number) : undefined
    if (error === undefined) return message
    this.#unsent.delete(id as number)
    return this.fromForm(['reject', id, asForm(error)])
  }

  #end(error: Error): void {
    this.#ended ??= error
    this.#waiter?.reject(this.#ended)
    this.#waiter = undefined
  }
}

/** What capnweb numbers, at both ends. */
function counts(kind: unknown): boolean {
  return kind === 'push' || kind === 'stream' || kind === 'pipe'
}

/** An error as capnweb writes one. */
function asForm({ name, message, code }: Error & { readonly code?: unknown }): Form {
  return ['error', name, message, null, typeof code === 'string' ? { code } : {}]
}
