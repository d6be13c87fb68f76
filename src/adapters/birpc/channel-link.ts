/**
 * ChannelLink: birpc's messages on a stream, and whose the descriptors in them are: those of a call are closed when the call
 * is over, those of an answer that nobody waits for at once.
 */
import type { ChannelOptions } from 'birpc'
import { ClosedError, UsageError } from '../../errors.js'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { closeAll, lostOnTheWay, settles } from '../link/unwanted.js'
import { ValueLink, type ValueLinkOptions } from '../link/value-link.js'
import { checkedMessage, failed, type Message } from './messages.js'

/** birpc's, which is done when the function is, and has been answered. */
type Listener = (message: Message) => PromiseLike<void>

/** More than this waits: a call's promise begins behind it. */
const mark = 256 * 1024

export class ChannelLink {
  readonly channel: ChannelOptions
  onEnd: ((error: Error) => void) | undefined
  readonly #stream: FrameStream
  readonly #link: ValueLink<Message>
  /** Calls of ours that have no answer yet. */
  readonly #pending = new Set<string>()
  #listener: Listener | undefined

  constructor(stream: FrameStream, options: ValueLinkOptions) {
    this.#stream = stream
    this.#link = new ValueLink(stream, options)
    this.channel = {
      post: (message: Message) => (message.t === 's' ? this.#answer(message) : this.#call(message)),
      on: (listener) => this.#begin(listener as Listener),
      off: () => this.#link.close(new ClosedError('the channel was closed')),
    }
  }

  #begin(listener: Listener): void {
    if (this.#listener !== undefined) throw new UsageError('a channel is for one createBirpc')
    this.#listener = listener
    this.#link.start({
      check: checkedMessage,
      onMessage: (message, descriptors, lost) => this.#receive(message, descriptors, lost),
      onEnd: (error) => this.#end(error),
    })
  }

  #call(message: Message): PromiseLike<void> | undefined {
    this.#link.sendLent(message)
    if (message.i !== undefined) this.#pending.add(message.i)
    return this.#stream.queuedBytes > mark ? this.#stream.drained() : undefined
  }

  /** Whoever called is told in any case; here is nobody who could be. */
  #answer(message: Message): void {
    try {
      this.#link.sendMoved(message)
    } catch (error) {
      this.#link.sendMoved(failed(message.i as string, error))
    }
  }

  #receive(message: Message, descriptors: readonly Descriptor[], lost: number): void {
    const { i } = message
    if (message.t === 's') {
      if (this.#pending.delete(i as string) && lost === 0) {
        if (descriptors.length === 0) this.#handle(message)
        else if (!this.#settles(message)) closeAll(descriptors)
        return
      }
      closeAll(descriptors) // nobody asked, or a part of it is missing
      if (lost > 0) this.#handle({ t: 's', i: i as string, e: lostOnTheWay() })
    } else if (lost > 0 && i !== undefined) {
      closeAll(descriptors)
      this.#answer({ t: 's', i, e: lostOnTheWay() })
    } else {
      this.#handle(message, descriptors)
    }
  }

  /** Nobody asks what a promise is rejected with for `then`: so an error comes as a result too, which rejects. */
  #settles({ t, i, r, e }: Message): boolean {
    return settles(
      {},
      (resolve, reject) => (e ? reject(e) : resolve(r)),
      (outcome) => this.#handle({ t, i: i as string, r: outcome }),
    )
  }

  /** What a call came with is closed when it is over, unless somebody has taken it. */
  #handle(message: Message, descriptors: readonly Descriptor[] = []): void {
    this.#listener?.(message).then(
      () => closeAll(descriptors),
      (error: unknown) => {
        closeAll(descriptors)
        if (message.t === 'q' && message.i !== undefined) this.#answer(failed(message.i, error))
      },
    )
  }

  #end(error: Error): void {
    this.#link.close(error)
    const pending = [...this.#pending]
    this.#pending.clear()
    if (this.onEnd === undefined) for (const i of pending) this.#handle({ t: 's', i, e: error })
    else this.onEnd(error)
  }
}
