/**
 * Outbox: messages that are to be sent, in order, until the code that is running is done: so a call can still be told
 * what its caller does with it next, and the messages of a turn leave together.
 *
 * What only lets go of something is not waited for. It leaves with the next message that is, or when no promise is left
 * that could go on and call: alone it would be a system call more, and wake the peer for nothing.
 */
import { queueMicrotask } from '../../event-loop.js'
import type { Descriptor } from '../../transport/index.js'
import { afterPromises } from '../after-promises.js'
import { asError, RpcError } from '../rpc-error.js'
import type { RpcTransport } from '../transport.js'
import { contentOf, onSentOf, type Wire } from '../wire/wire.js'
import type { Message } from './messages.js'
import type { Question } from './question.js'

interface Outgoing {
  readonly message: Message
  /** Owned. */
  readonly descriptors: readonly Descriptor[]
  readonly question: Question | undefined
}

const noContent: readonly Uint8Array[] = Object.freeze([])

export class Outbox {
  readonly #transport: RpcTransport
  readonly #wire: Wire
  readonly #limit: number
  readonly #onFailure: (error: Error) => void
  #messages: Outgoing[] = []
  /** A flush is due behind the code that is running. */
  #due = false
  /** A flush is due behind all promises that can go on. */
  #dueLater = false
  /** The peer waits for one of them. */
  #awaited = false
  #closed = false
  #overLimit = false
  readonly #flushSoon = (): void => {
    this.#due = false
    this.flushAwaited()
  }
  readonly #flushLast = (): void => {
    this.#dueLater = false
    this.flush()
  }
  readonly #sendAll = (): void => this.#send()

  /** @param limit bytes that may wait for the peer to read them */
  constructor(transport: RpcTransport, wire: Wire, limit: number, onFailure: (error: Error) => void) {
    this.#transport = transport
    this.#wire = wire
    this.#limit = limit
    this.#onFailure = onFailure
  }

  /** Takes over the descriptors. */
  push(message: Message, descriptors: readonly Descriptor[], question?: Question): void {
    if (this.#closed) {
      for (const descriptor of descriptors) descriptor.close()
      return
    }
    this.#messages.push({ message, descriptors, question })
    if (message.type !== 'finish' && message.type !== 'release') {
      this.#awaited = true
      if (this.#due) return
      this.#due = true
      queueMicrotask(this.#flushSoon)
    } else if (!this.#dueLater && !this.#awaited) {
      this.#dueLater = true
      afterPromises(this.#flushLast)
    }
  }

  /** Sends what is waited for, and all that is before it. */
  flushAwaited(): void {
    if (this.#awaited) this.flush()
  }

  /** Sends what nobody waits for, if nothing else is about to leave with it. */
  flushUnawaited(): void {
    if (!this.#awaited) this.flush()
  }

  flush(): void {
    this.#awaited = false
    if (this.#messages.length === 0 || this.#closed) return
    if (this.#messages.length === 1 || this.#transport.gather === undefined) this.#send()
    else this.#transport.gather(this.#sendAll)
    if (this.#transport.queuedBytes > this.#limit && !this.#overLimit && !this.#closed) {
      this.#overLimit = true // the word of it goes out by this very way
      this.#onFailure(
        new RpcError(
          'overloaded',
          `more than ${this.#limit} bytes wait for the peer to read them (limits.queuedBytes)`,
        ),
      )
    }
  }

  #send(): void {
    const messages = this.#messages
    this.#messages = []
    for (let i = 0; i < messages.length; i++) {
      const { message, descriptors, question } = messages[i] as Outgoing
      if (question !== undefined) question.sent = true
      try {
        const whole = this.#wire.encodeWhole(message)
        if (whole !== undefined) this.#transport.send(whole, noContent, descriptors)
        else this.#sendInPieces(message, descriptors)
      } catch (error) {
        closeAll(messages.slice(i + 1))
        this.#onFailure(asError(error))
        return
      }
      if (this.#closed) {
        closeAll(messages.slice(i + 1)) // the transport has told of its end from within `send`
        return
      }
    }
  }

  #sendInPieces(message: Message, descriptors: readonly Descriptor[]): void {
    const sent = this.#transport.send(this.#wire.encode(message), contentOf(message), descriptors)
    const onSent = onSentOf(message)
    if (onSent === undefined) return
    if (sent instanceof Promise) sent.then(onSent)
    else onSent()
  }

  /** Nothing is sent any more; what waits is dropped. */
  close(): void {
    this.#closed = true
    closeAll(this.#messages)
    this.#messages = []
  }
}

function closeAll(messages: readonly Outgoing[]): void {
  for (const { descriptors } of messages) for (const descriptor of descriptors) descriptor.close()
}
