/**
 * MessagePortTransport: a session with another thread, over a MessagePort. It carries no descriptors.
 */
import { MessagePort } from 'node:worker_threads'
import { UsageError } from '../../errors.js'
import type { Descriptor, Peer } from '../../transport/index.js'
import { RpcError } from '../rpc-error.js'
import type { FrameReceiver, RpcTransport } from '../transport.js'

export class MessagePortTransport implements RpcTransport {
  readonly carriesDescriptors = false
  readonly maxDescriptors = 0
  readonly maxPayload: number
  /** What waits in the other thread is not known here. */
  readonly queuedBytes = 0
  readonly peer: Peer | undefined = undefined
  readonly #port: MessagePort
  #receiver: FrameReceiver | undefined

  /** Owns the port from now on, whose other end is one's too. Throws UsageError for anything but a MessagePort. */
  constructor(port: MessagePort, options: { readonly maxPayload?: number } = {}) {
    // Nor a Worker, which has no `close`: make a MessageChannel, and give one of its ports to the thread.
    if (!(port instanceof MessagePort))
      throw new UsageError('a session between threads is over a MessagePort: no Worker, no other object')
    this.#port = port
    this.maxPayload = options.maxPayload ?? 16 * 1024 * 1024
  }

  start(receiver: FrameReceiver): void {
    this.#receiver = receiver
    this.#port.on('message', (message: unknown) => this.#receive(message))
    this.#port.on('messageerror', (error) => this.#end(error))
    this.#port.on('close', () => this.#end(undefined))
  }

  send(head: Uint8Array, content: readonly Uint8Array[], descriptors: readonly Descriptor[]): void {
    for (const descriptor of descriptors) descriptor.close() // none, as the session checks
    const copy = joined([head, ...content])
    this.#port.postMessage(copy, [copy.buffer])
  }

  close(): void {
    this.#receiver = undefined
    this.#port.close()
  }

  ref(): void {
    this.#port.ref()
  }

  unref(): void {
    this.#port.unref()
  }

  #receive(message: unknown): void {
    if (this.#receiver === undefined) return
    if (message instanceof Uint8Array) {
      this.#receiver.onFrame(message, [], 0)
      this.#receiver?.onBatchEnd()
    } else {
      this.#end(new RpcError('failed', 'something else than bytes came by the port', { origin: 'remote' }))
    }
  }

  #end(error: Error | undefined): void {
    const receiver = this.#receiver
    this.#receiver = undefined
    receiver?.onEnd(error)
  }
}

/** In memory of its own, which can be given away. */
function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}
