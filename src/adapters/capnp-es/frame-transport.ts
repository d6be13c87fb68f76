/**
 * The transport: frames of a stream as messages, in their order and as they are asked for, none dropped. What is not asked for
 * waits here if it came in one wake-up with what was, else in the stream and the kernel.
 */
import { Message, type Transport } from 'capnp-es'
import { Message as RpcMessage } from 'capnp-es/capnp/rpc'
import { RpcError } from '../../rpc/index.js'
import type { FrameStream } from '../../stream/index.js'
import { Incoming } from '../capnp/attached.js'
import { FrameLink, type FrameTransportOptions } from '../capnp/frame-link.js'
import { incoming, outgoing } from './attached.js'

interface Asking {
  resolve(message: RpcMessage): void
  reject(error: Error | undefined): void
}

export class FrameTransport implements Transport {
  readonly #link: FrameLink
  readonly #keepsDescriptors: boolean
  /** Came, with the rest of a wake-up, and has not been asked for. */
  readonly #waiting: RpcMessage[] = []
  /** Have asked, and get what comes in turn. */
  readonly #asking: Asking[] = []
  #started = false
  #ended: { readonly error: Error | undefined } | undefined

  /**
   * Owns the stream. Throws UsageError for one of another codec than capnp().
   * @param options.keepsDescriptors whoever receives messages closes what came with them (attached.ts); else they are closed here
   */
  constructor(stream: FrameStream, options: FrameTransportOptions & { readonly keepsDescriptors?: boolean } = {}) {
    this.#link = new FrameLink(stream, options)
    this.#keepsDescriptors = options.keepsDescriptors ?? false
  }

  /** Throws what FrameStream.send throws, once closed ClosedError, and RpcError when too much waits. */
  sendMessage(message: RpcMessage): void {
    const { message: whole } = message.segment
    const attached = outgoing.get(whole)
    outgoing.delete(whole)
    this.#link.send(new Uint8Array(whole.toArrayBuffer()), attached?.descriptors)
  }

  /**
   * The next message; of several that ask, each gets one, in turn. Rejects with undefined at the end, as the library has it;
   * with what ended the stream; with RpcError for garbage.
   */
  recvMessage(): Promise<RpcMessage> {
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) return Promise.resolve(waiting)
    if (this.#ended !== undefined) return Promise.reject(this.#ended.error)
    return new Promise((resolve, reject) => {
      this.#asking.push({ resolve, reject })
      if (this.#started) this.#link.resume()
      else this.#start()
    })
  }

  get closed(): boolean {
    return this.#link.closed
  }

  /** Sends what waits, then ends. What still comes is dropped. */
  close(): void {
    this.#link.close()
    this.#end(undefined)
    this.#drop()
  }

  /** Ends at once, as abnormal. */
  destroy(error: Error): void {
    this.#link.destroy(error)
    this.#end(error)
    this.#drop()
  }

  #start(): void {
    this.#started = true
    this.#link.start({
      onMessage: (payload, attached) => this.#receive(payload, attached),
      onEnd: (error) => this.#end(error),
    })
  }

  #receive(payload: Uint8Array, attached: Incoming): void {
    let root: RpcMessage
    try {
      const message = new Message(payload, false)
      root = message.getRoot(RpcMessage)
      if (!this.#keepsDescriptors) attached.close()
      else if (attached !== Incoming.none) incoming.set(message, attached)
    } catch (cause) {
      attached.close()
      // Ends at once; what came ahead of it is still to be asked for, and behind that the error.
      this.#link.destroy(
        new RpcError('failed', 'a frame is no message of Cap’n Proto’s RPC', { origin: 'remote', cause }),
      )
      return
    }
    const asking = this.#asking.shift()
    if (asking !== undefined) asking.resolve(root)
    else if (this.#waiting.push(root) === 1) this.#link.pause()
  }

  #end(error: Error | undefined): void {
    this.#ended ??= { error }
    for (const asking of this.#asking.splice(0)) asking.reject(this.#ended.error)
  }

  #drop(): void {
    for (const { segment } of this.#waiting.splice(0)) incoming.get(segment.message)?.close()
  }
}
