/**
 * The transport: a stream's frames as messages, in their order. None is received before somebody listens, so none is dropped.
 */
import type { Transport } from 'capnp-ts'
import { RpcError } from '../../rpc/index.js'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { Incoming } from '../capnp/attached.js'
import { brokenBy } from '../capnp/broken-by.js'
import { FrameLink, type FrameTransportOptions } from '../capnp/frame-link.js'

export class FrameTransport implements Transport {
  readonly #link: FrameLink
  #onClose: ((error?: Error) => void) | undefined
  /** What came with the message that is being handled. */
  attached = Incoming.none
  /** No message comes any more; before `onClose` is told. */
  onEnd: (() => void) | undefined

  /** Owns the stream. Throws UsageError for one of another codec than capnp(). */
  constructor(stream: FrameStream, options: FrameTransportOptions = {}) {
    this.#link = new FrameLink(stream, options)
  }

  get closed(): boolean {
    return this.#link.closed
  }

  /** Called at the peer's end, and with what ended the stream; once. */
  onClose(callback: (error?: Error) => void): void {
    this.#onClose = callback
  }

  /** Begins to receive. What the callback throws is the peer's fault, and ends the stream by an RpcError. */
  onMessage(callback: (data: Uint8Array) => void): void {
    this.#link.start({
      onMessage: (data, attached) => {
        this.attached = attached
        try {
          callback(data)
        } catch (cause) {
          this.destroy(brokenBy(cause))
        } finally {
          this.attached = Incoming.none
          attached.close()
        }
      },
      onEnd: (error) => {
        this.onEnd?.()
        const ended = this.closed ? undefined : new RpcError('disconnected', 'the peer has ended the connection')
        this.#onClose?.(error ?? ended)
      },
    })
  }

  /**
   * The descriptors stay the caller's. Throws what FrameStream.send throws, once closed ClosedError, and RpcError when too much
   * waits.
   */
  send(data: Uint8Array, descriptors?: readonly Descriptor[]): void {
    this.#link.send(data, descriptors)
  }

  /** Sends what waits, then ends. What still comes is dropped. */
  close(): void {
    this.#link.close()
    this.onEnd?.()
  }

  /** Ends at once, as abnormal. */
  destroy(error: Error): void {
    this.#link.destroy(error)
  }
}
