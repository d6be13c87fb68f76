/**
 * QueueLimit: how much may wait for a peer that does not read, where the library beneath has no back-pressure of its own.
 */
import { RpcError } from '../../rpc/index.js'

export interface QueueOptions {
  /** Bytes that wait for the peer to read them; with more a call fails, and what is no call ends the stream. Default 64 MiB. */
  readonly maxQueued?: number
}

const defaultBytes = 64 * 1024 * 1024

export class QueueLimit {
  readonly #queue: { readonly queuedBytes: number }
  readonly #most: number

  constructor(queue: { readonly queuedBytes: number }, most = defaultBytes) {
    this.#queue = queue
    this.#most = most
  }

  /** Too much waits: why nothing more can be sent. */
  get exceeded(): RpcError | undefined {
    if (this.#queue.queuedBytes <= this.#most) return undefined
    return new RpcError('overloaded', `more than ${this.#most} bytes wait for the peer to read them (maxQueued)`)
  }

  /** Throws RpcError of type `overloaded`. */
  check(): void {
    const error = this.exceeded
    if (error !== undefined) throw error
  }
}
