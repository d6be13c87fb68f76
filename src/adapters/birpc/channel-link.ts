/**
 * ChannelLink: birpc's messages on a stream, and whose the descriptors in them are: those of a call are closed when the call
 * is over, those of an answer that nobody waits for at once.
 */
import type { ChannelOptions } from 'birpc'
import { ClosedError, UsageError } from '../../errors.js'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { Untaken, type UntakenOptions } from '../link/untaken.js'
import { closeAll, lostOnTheWay, settles } from '../link/unwanted.js'
import { ValueLink, type ValueLinkOptions } from '../link/value-link.js'
import { checkedMessage, failed, type Message } from './messages.js'

/** birpc's, which is done when the function is, and has been answered. */
type Listener = (message: Message) => PromiseLike<void>

/** More than this waits: a call's promise begins behind it. */
const mark = 256 * 1024

export class ChannelLink {
  readonly channel: ChannelOptions
  readonly #stream: FrameStream
  readonly #link: ValueLink<Message>
  readonly #onEnd: ((error: Error) => void) | undefined
  /** Calls of ours that have no answer yet, where nobody else can tell them of the end. */
  readonly #pending = new Set<string>()
  /** What calls of the peer's came with. */
  readonly #untaken: Untaken<Message>
  #listener: Listener | undefined

  /** @param onEnd tells birpc of the end; without it, each pending call is rejected */
  constructor(
    stream: FrameStream,
    { maxUntaken, ...limits }: ValueLinkOptions & UntakenOptions,
    onEnd?: (error: Error) => void,
  ) {
    this.#stream = stream
    this.#onEnd = onEnd
    this.#link = new ValueLink(stream, limits)
    this.#untaken = new Untaken(maxUntaken)
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
    if (message.i !== undefined && this.#onEnd === undefined) this.#pending.add(message.i)
    if (this.#stream.queuedBytes <= mark) return undefined
    // Nobody looks at an event's promise, as a rule: rejected by the peer's end, it would end the process.
    return message.i === undefined ? this.#stream.drained().catch(() => {}) : this.#stream.drained()
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
    if (message.t === 'q') {
      this.#called(message, descriptors, lost)
      return
    }
    const i = message.i as string
    this.#pending.delete(i)
    if (lost > 0) {
      closeAll(descriptors)
      this.#handle({ t: 's', i, e: lostOnTheWay() })
    } else if (descriptors.length === 0) this.#handle(message)
    else if (!this.#settles(message)) closeAll(descriptors)
  }

  /** Nobody asks what a promise is rejected with for `then`: so an error comes as a result too, which rejects. */
  #settles({ t, i, r, e }: Message): boolean {
    return settles(
      {},
      (resolve, reject) => (e ? reject(e) : resolve(r)),
      (outcome) => this.#handle({ t, i: i as string, r: outcome }),
    )
  }

  #called(message: Message, descriptors: readonly Descriptor[], lost: number): void {
    const { i } = message
    try {
      this.#untaken.add(message, descriptors)
      if (lost > 0 && i !== undefined) throw lostOnTheWay()
    } catch (error) {
      this.#untaken.close(message)
      if (i === undefined) this.#stream.destroy(error as Error)
      else this.#answer({ t: 's', i, e: error })
      return
    }
    this.#handle(message)
  }

  /** What a call came with is closed when it is over, unless somebody has taken it. */
  #handle(message: Message): void {
    this.#listener?.(message).then(
      () => this.#untaken.close(message),
      (error: unknown) => {
        this.#untaken.close(message)
        if (message.t === 'q' && message.i !== undefined) this.#answer(failed(message.i, error))
      },
    )
  }

  #end(error: Error): void {
    this.#link.close(error)
    this.#onEnd?.(error)
    for (const i of this.#pending) this.#handle({ t: 's', i, e: error })
    this.#pending.clear()
  }
}
