/**
 * ValueLink: a stream of messages that are values, with Descriptors anywhere in them, for libraries with calls that know no
 * end, no limit and no descriptors.
 *
 * Owns the stream. Knows no library: what a message is its `check` says.
 */
import { FrameStreamTransport, type PackOptions, packValue, RpcError, unpackValue } from '../../rpc/index.js'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { QueueLimit, type QueueOptions } from './queue-limit.js'
import { closeAll } from './unwanted.js'

export interface ValueLinkOptions extends QueueOptions {
  /** How deep a message may be nested, either way. Default 100. */
  readonly depth?: number
  /** Elements, keys and members of a message, either way. Default 1,000,000. */
  readonly values?: number
}

export interface LinkHandlers<Message> {
  /** Throws RpcError of origin `remote` for what is no message, or has descriptors where nobody sees them: that ends the stream. */
  check(value: unknown, withDescriptors: boolean): Message
  /** The descriptors are those in the message, the receiver's to close. Lost ones are errors in their places. */
  onMessage(message: Message, descriptors: readonly Descriptor[], lost: number): void
  /** Once, and the last. */
  onEnd(error: Error): void
}

export class ValueLink<Message> {
  readonly #stream: FrameStream
  readonly #frames: FrameStreamTransport
  readonly #limit: QueueLimit
  readonly #lent
  readonly #moved
  readonly #received
  #ended: Error | undefined

  /** @param together how many answers leave together, as in FrameStreamTransportOptions */
  constructor(stream: FrameStream, { maxQueued, ...limits }: ValueLinkOptions, together?: number) {
    this.#stream = stream
    this.#frames = new FrameStreamTransport(stream, {
      answers: 'by promises',
      ...(together === undefined ? {} : { together }),
    })
    this.#limit = new QueueLimit(stream, maxQueued)
    this.#lent = limits
    this.#moved = { ...limits, transfer: true }
    this.#received = { ...limits, bytes: 'copies', lost: 'in place' } as const
  }

  /** What has ended it. */
  get ended(): Error | undefined {
    return this.#ended
  }

  /** Begins to receive. */
  start({ check, onMessage, onEnd }: LinkHandlers<Message>): void {
    this.#frames.start({
      onFrame: (payload, received, lost) => {
        let descriptors: readonly Descriptor[] = []
        let message: Message
        try {
          const unpacked = unpackValue({ payload, descriptors: received, lost }, this.#received)
          descriptors = unpacked.descriptors
          message = check(unpacked.value, descriptors.length > 0)
        } catch (error) {
          closeAll(descriptors)
          this.#stream.destroy(error as Error)
          return
        }
        onMessage(message, descriptors, lost)
      },
      onBatchEnd: () => {},
      onEnd: (error) => onEnd(error ?? new RpcError('disconnected', 'the stream has ended')),
    })
  }

  /** Throws what has ended the link, RpcError where too much waits. */
  checkRoom(): void {
    if (this.#ended !== undefined) throw this.#ended
    this.#limit.check()
  }

  /**
   * A call, whose descriptors stay the caller's. Throws what has ended the link, RpcError where too much waits, and what
   * cannot travel.
   */
  sendLent(message: Message): void {
    this.checkRoom()
    this.#send(message, this.#lent)
  }

  /**
   * An answer, whose descriptors are sent or closed. Where too much waits it ends the stream, by which whoever waits for
   * it is told. Throws what cannot travel.
   */
  sendMoved(message: Message): void {
    const error = this.#limit.exceeded
    if (error !== undefined) this.#stream.destroy(error)
    this.#send(message, this.#moved)
  }

  /** Sends what waits, then ends; whoever calls later is told why. */
  close(error: Error): void {
    this.#ended ??= error
    this.#frames.close()
  }

  #send(message: Message, options: PackOptions): void {
    const { payload, descriptors } = packValue(message, options)
    this.#frames.send(payload, [], descriptors)
  }
}
