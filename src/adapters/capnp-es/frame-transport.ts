/**
 * The transport: frames of a stream as messages, in their order and as they are asked for, none dropped. What is not asked for
 * waits in the stream, and past its high-water mark in the kernel.
 */
import { Message, type Transport } from 'capnp-es'
import { Message as RpcMessage } from 'capnp-es/capnp/rpc'
import { UsageError } from '../../errors.js'
import { capnp } from '../../framing/index.js'
import { RpcError } from '../../rpc/index.js'
import type { Frame, FrameStream } from '../../stream/index.js'
import { incoming, outgoing } from './attached.js'

/** For a peer that does not read, or does not end. */
const patienceMilliseconds = 2000

export interface FrameTransportOptions {
  /** Bytes that wait for the peer to read them; with more a call fails, and what is no call ends the stream. Default 64 MiB. */
  readonly maxQueued?: number
}

export class FrameTransport implements Transport {
  readonly #stream: FrameStream
  readonly #maxQueued: number
  readonly #keepsDescriptors: boolean
  readonly #frames: AsyncIterator<Frame, undefined>
  #closed = false
  #refuse: ((error?: Error) => void) | undefined

  /**
   * Owns the stream. Throws UsageError for one of another codec than capnp().
   * @param options.keepsDescriptors whoever receives messages closes what came with them (attached.ts); else they are closed here
   */
  constructor(stream: FrameStream, options: FrameTransportOptions & { readonly keepsDescriptors?: boolean } = {}) {
    if (stream.codec !== capnp()) {
      throw new UsageError(`Cap'n Proto is for the codec capnp(), not for ${stream.codec?.name ?? 'messages'}`)
    }
    const { maxQueued = 64 * 1024 * 1024, keepsDescriptors = false } = options
    this.#stream = stream
    this.#maxQueued = maxQueued
    this.#keepsDescriptors = keepsDescriptors
    this.#frames = stream[Symbol.asyncIterator]()
  }

  /**
   * Throws what FrameStream.send throws, once closed ClosedError, and RpcError when too much waits. With descriptors: settles
   * when they have gone.
   */
  sendMessage(message: RpcMessage): undefined | Promise<void> {
    const { message: whole } = message.segment
    const attached = outgoing.get(whole)
    outgoing.delete(whole)
    if (attached?.failure !== undefined) throw attached.failure
    if (this.#stream.queuedBytes > this.#maxQueued) {
      throw new RpcError('overloaded', `more than ${this.#maxQueued} bytes wait for the peer to read them (maxQueued)`)
    }
    const bytes = new Uint8Array(whole.toArrayBuffer())
    if (attached === undefined) {
      this.#stream.send(bytes)
      return undefined
    }
    this.#stream.send(bytes, attached.descriptors)
    return this.#stream.flush()
  }

  /** Rejects with undefined at the end, as the library has it; with what ended the stream; with RpcError for garbage. */
  recvMessage(): Promise<RpcMessage> {
    if (this.#closed) return Promise.reject(undefined)
    return new Promise((resolve, reject) => {
      this.#refuse = reject
      this.#frames
        .next()
        .then(({ value: frame }) => {
          if (frame === undefined) this.close()
          else if (this.#closed) frame[Symbol.dispose]()
          else resolve(this.#message(frame))
        })
        .catch((error: Error) => {
          reject(error)
          this.destroy(error)
        })
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Sends what waits, then ends. What still comes is dropped. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#refuse?.()
    const stream = this.#stream
    if (stream.destroyed) return
    // Closed at once with something of the peer's unread, it would look like a crash to the peer (ECONNRESET).
    const patience = setTimeout(() => stream.destroy(), patienceMilliseconds).unref()
    stream.once('close', () => clearTimeout(patience))
    stream.end().then(
      () => stream.destroyed || stream.unref(),
      () => stream.destroy(),
    )
    this.#drop().catch(() => stream.destroy())
  }

  /** Ends at once, as abnormal. */
  destroy(error: Error): void {
    this.#closed = true
    this.#stream.destroy(error)
    this.#refuse?.(error)
  }

  async #drop(): Promise<void> {
    for (;;) {
      const { value: frame } = await this.#frames.next()
      if (frame === undefined) return
      frame[Symbol.dispose]()
    }
  }

  #message(frame: Frame): RpcMessage {
    const { payload, descriptors, lost } = frame
    try {
      const message = new Message(payload, false)
      const root = message.getRoot(RpcMessage)
      if (!this.#keepsDescriptors) frame[Symbol.dispose]()
      else if (descriptors.length > 0 || lost > 0) incoming.set(message, { descriptors: [...descriptors], lost })
      return root
    } catch (cause) {
      frame[Symbol.dispose]()
      throw new RpcError('failed', 'a frame is no message of Cap’n Proto’s RPC', { origin: 'remote', cause })
    }
  }
}
