/**
 * A connection that is served, and can be detached between two requests: everything received has been answered then, every
 * answer is in the kernel, and what there is of a next request goes along.
 */
import { ClosedError, type Descriptor, type FrameStream } from 'pillion'
import type { ConnectionState } from './handover.js'

export class Connection {
  readonly #stream: FrameStream
  #served: number
  #moving = false

  constructor(stream: FrameStream, served: number) {
    this.#stream = stream
    this.#served = served
  }

  /** Answers until the client has ended or gone, or the connection moves. */
  async serve(answer: (request: Uint8Array, served: number) => Uint8Array): Promise<void> {
    const stream = this.#stream
    try {
      for await (const { payload } of stream) {
        if (!stream.send(answer(payload, ++this.#served))) await stream.drained()
      }
      if (!this.#moving) await stream.end()
    } catch {
      stream.destroy() // the client has gone in the middle of something
    }
  }

  /** undefined: the client has gone meanwhile. */
  async detach(): Promise<{ readonly socket: Descriptor; readonly state: ConnectionState } | undefined> {
    const stream = this.#stream
    this.#moving = true
    try {
      await stream.stopReceiving() // and `serve` is done with all that was received
      await stream.flush()
      const { socket, unread } = stream.detach()
      return { socket, state: { unread, served: this.#served } }
    } catch (error) {
      if (stream.destroyed || error instanceof ClosedError) return undefined
      throw error
    }
  }
}
