/**
 * FrameLink: a stream of Cap'n Proto messages with the descriptors attached to them, as both libraries' transports need it.
 *
 * Owns the stream. Knows neither library, nor what is in a message but for how much.
 */
import { ClosedError, UsageError } from '../../errors.js'
import { capnp } from '../../framing/index.js'
import { FrameStreamTransport } from '../../rpc/index.js'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { QueueLimit, type QueueOptions } from '../link/queue-limit.js'
import { Incoming } from './attached.js'
import { brokenBy } from './broken-by.js'
import { checkExtent } from './extent.js'

export type FrameTransportOptions = QueueOptions

export interface LinkHandlers {
  /** The payload is valid during the call alone; what is attached is the receiver's to close. */
  onMessage(payload: Uint8Array, attached: Incoming): void
  /** Once, and the last. Undefined: the peer has ended, or the stream was closed here. */
  onEnd(error: Error | undefined): void
}

/** A message costs the libraries more than a system call: the peer had better begin with the first ones soon. */
const answeredTogether = 16

/** The stream copies what is shorter before `send` returns; what is not, only where it is content. */
const copiedBytes = 8 * 1024

const nothing = new Uint8Array(0)

export class FrameLink {
  readonly #stream: FrameStream
  readonly #frames: FrameStreamTransport
  readonly #limit: QueueLimit
  #handlers: LinkHandlers | undefined
  #begun = false
  #closed = false

  /** Throws UsageError for a stream of another codec than capnp(). */
  constructor(stream: FrameStream, { maxQueued }: FrameTransportOptions) {
    if (stream.codec !== capnp()) {
      throw new UsageError(`Cap'n Proto is for the codec capnp(), not for ${stream.codec?.name ?? 'messages'}`)
    }
    this.#stream = stream
    this.#frames = new FrameStreamTransport(stream, { answers: 'by promises', together: answeredTogether })
    this.#limit = new QueueLimit(stream, maxQueued)
  }

  get closed(): boolean {
    return this.#closed || this.#stream.destroyed
  }

  /** Begins to receive. */
  start(handlers: LinkHandlers): void {
    this.#handlers = handlers
    if (this.#stream.destroyed) {
      this.#stream.closed.then(
        () => this.#tell(undefined),
        (error: Error) => this.#tell(error),
      )
    }
    this.#begin()
  }

  /** Nothing comes from the kernel until `resume`. What has come with the same wake-up goes on being handed over. */
  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  /**
   * The bytes must not change any more, unless there are less than 8 KiB of them; the descriptors stay the caller's. Throws
   * what FrameStream.send throws, once closed ClosedError, and RpcError when too much waits. What the peer refuses ends the
   * stream.
   */
  send(message: Uint8Array, descriptors?: readonly Descriptor[]): void {
    if (this.closed) throw new ClosedError('the connection has ended')
    this.#limit.check()
    if (descriptors === undefined && message.length < copiedBytes) this.#frames.send(message, [], [])
    else if (descriptors === undefined) this.#frames.send(nothing, [message], [])
    else this.#stream.send(message, descriptors)
  }

  /** Sends what waits, then ends. What still comes is dropped. */
  close(): void {
    this.#closed = true
    this.#frames.close()
    this.#begin() // it closes by itself once what the peer sent has been read
    this.resume()
  }

  /** Ends at once, as abnormal. */
  destroy(error: Error): void {
    this.#closed = true
    this.#tell(error)
    this.#stream.destroy(error)
    this.#frames.close() // drops what has come and waits for its turn
  }

  #begin(): void {
    if (this.#begun || this.#stream.destroyed) return
    this.#begun = true
    this.#frames.start({
      onFrame: (payload, descriptors, lost) => {
        const attached = descriptors.length === 0 && lost === 0 ? Incoming.none : new Incoming(descriptors, lost)
        if (this.#handlers !== undefined && this.#isPossible(payload)) this.#handlers.onMessage(payload, attached)
        else attached.close()
      },
      onBatchEnd: () => {},
      onEnd: (error) => {
        this.#tell(error)
        this.close()
      },
    })
  }

  /** Else ends, as by whatever the libraries cannot read. */
  #isPossible(message: Uint8Array): boolean {
    try {
      checkExtent(message)
      return true
    } catch (cause) {
      this.destroy(brokenBy(cause))
      return false
    }
  }

  #tell(error: Error | undefined): void {
    const handlers = this.#handlers
    this.#handlers = undefined
    handlers?.onEnd(error)
  }
}
