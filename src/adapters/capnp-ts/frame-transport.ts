/**
 * The transport: a stream's frames as messages, in their order. None is received before somebody listens, so none is dropped.
 */
import type { Transport } from 'capnp-ts'
import { UsageError } from '../../errors.js'
import { capnp } from '../../framing/index.js'
import { RpcError } from '../../rpc/index.js'
import type { Descriptor, Frame, FrameStream } from '../../stream/index.js'

/**
 * Messages of one turn of the loop. The library answers by promises, behind the wake-up: if all messages of it came in one
 * turn, the peer would have nothing to do meanwhile.
 */
const mostInTurn = 16

/** For a peer that does not read, or does not end. */
const patienceMilliseconds = 2000

export interface FrameTransportOptions {
  /** Bytes that wait for the peer to read them; with more a call fails, and what is no call ends the stream. Default 64 MiB. */
  readonly maxQueued?: number
}

export class FrameTransport implements Transport {
  readonly #stream: FrameStream
  readonly #maxQueued: number
  #onClose: ((error?: Error) => void) | undefined
  #closed = false
  #inTurn = 0
  /** The frame of the message that is being handled. */
  current: Frame | undefined
  /** No message comes any more; before `onClose` is told. */
  onEnd: (() => void) | undefined

  /** Owns the stream. Throws UsageError for one of another codec than capnp(). */
  constructor(stream: FrameStream, { maxQueued = 64 * 1024 * 1024 }: FrameTransportOptions = {}) {
    if (stream.codec !== capnp()) {
      throw new UsageError(`Cap'n Proto is for the codec capnp(), not for ${stream.codec?.name ?? 'messages'}`)
    }
    this.#stream = stream
    this.#maxQueued = maxQueued
  }

  get closed(): boolean {
    return this.#closed || this.#stream.destroyed
  }

  /** Called at the peer's end, and with what ended the stream; once. */
  onClose(callback: (error?: Error) => void): void {
    this.#onClose = callback
    this.#stream.on('end', () => {
      this.#tell(new RpcError('disconnected', 'the peer has ended the connection'))
      this.close()
    })
    this.#stream.closed.then(
      () => this.#tell(undefined),
      (error: Error) => this.#tell(error),
    )
  }

  /** Begins to receive. What the callback throws is the peer's fault, and ends the stream by an RpcError. */
  onMessage(callback: (data: Uint8Array) => void): void {
    this.#stream.on('frame', (frame) => {
      this.current = frame
      try {
        if (!this.#closed) callback(frame.payload)
      } catch (cause) {
        this.destroy(new RpcError('failed', `a message cannot be: ${String(cause)}`, { origin: 'remote', cause }))
      } finally {
        this.current = undefined
        frame[Symbol.dispose]()
      }
      this.#takeTurns()
    })
  }

  /** Throws what FrameStream.send throws, once closed ClosedError, and RpcError when too much waits. */
  send(data: Uint8Array): void {
    this.#checkQueued()
    this.#stream.send(data)
  }

  /** The descriptors stay the caller's. Settles when they have gone, rejects when they are refused. */
  sendWith(data: Uint8Array, descriptors: readonly Descriptor[]): Promise<void> {
    this.#checkQueued()
    this.#stream.send(data, descriptors)
    return this.#stream.flush()
  }

  /** Sends what waits, then ends. What still comes is dropped. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.onEnd?.()
    const stream = this.#stream
    if (stream.destroyed) return
    // Closed at once with something of the peer's unread, it would look like a crash to the peer (ECONNRESET).
    const patience = setTimeout(() => stream.destroy(), patienceMilliseconds).unref()
    stream.once('close', () => clearTimeout(patience))
    stream.end().then(
      () => stream.destroyed || stream.unref(),
      () => stream.destroy(),
    )
  }

  /** Ends at once, as abnormal. */
  destroy(error: Error): void {
    this.#tell(error)
    this.#closed = true
    this.#stream.destroy(error)
  }

  /** The stream keeps what waits, in order, and tells of its end behind that. */
  #takeTurns(): void {
    if (++this.#inTurn % mostInTurn !== 0) return
    this.#stream.pause()
    setImmediate(() => this.#stream.resume())
  }

  #checkQueued(): void {
    if (this.#stream.queuedBytes <= this.#maxQueued) return
    throw new RpcError('overloaded', `more than ${this.#maxQueued} bytes wait for the peer to read them (maxQueued)`)
  }

  #tell(error: Error | undefined): void {
    this.onEnd?.()
    const told = this.#onClose
    this.#onClose = undefined
    told?.(error)
  }
}
