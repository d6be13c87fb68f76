/**
 * The writer: messages as frames. A write is done when it is sent or waits within the stream's high-water mark; past that, it
 * waits until there is room; with descriptors, until they have gone.
 *
 * The connection takes one received message a turn of the loop, so that a system call a turn would send its answer alone.
 * While others wait for their turn, what is written is held back, for a moment, and goes out together.
 */
import { AbstractMessageWriter, type Message, type MessageWriter } from 'vscode-jsonrpc/node'
import { ClosedError } from '../../errors.js'
import { now, setImmediate } from '../../event-loop.js'
import { FrameStreamTransport } from '../../rpc/index.js'
import type { FrameStream } from '../../stream/index.js'
import { closeAll } from '../link/unwanted.js'
import type { Calls } from './calls.js'
import type { Encoded, Encoding, Envelope } from './encoding.js'
import type { Turns } from './turns.js'

/** What is held back: so few that the peer has something to do meanwhile, for no longer than a turn takes that does something. */
const mostHeld = 16
const mostHeldBytes = 32 * 1024
const heldMilliseconds = 1

export interface WriterParts {
  readonly turns: Turns
  /** Whoever ends the stream lets go of what is held back before. */
  readonly holdsBack: boolean
  readonly stream: FrameStream
  readonly encoding: Encoding
  readonly calls: Calls
}

export class FrameMessageWriter extends AbstractMessageWriter implements MessageWriter {
  readonly #parts: WriterParts
  readonly #link: FrameStreamTransport
  #errors = 0
  #held: Encoded['payload'][] = []
  #heldBytes = 0
  #heldSince = 0
  #watching = false

  constructor(parts: WriterParts) {
    super()
    this.#parts = parts
    this.#link = new FrameStreamTransport(parts.stream)
  }

  /** Rejects with what cannot be sent, which `onError` tells too. Descriptors in a result are sent or closed. */
  async write(message: Message & Envelope): Promise<void> {
    const { stream, encoding, calls } = this.#parts
    try {
      const encoded = encoding.encode(message)
      if (this.#hold(encoded)) {
        calls.sent(message)
        return
      }
      const { payload, descriptors } = encoded
      let goesOn: boolean
      try {
        this.release()
        goesOn = stream.send(payload, descriptors) // not transferred: then it throws what it finds out at once
      } finally {
        closeAll(descriptors)
      }
      calls.sent(message)
      // What is found out later, that the peer refuses descriptors, drops this frame alone.
      if (descriptors.length > 0) await stream.flush()
      else if (!goesOn) await stream.drained()
    } catch (error) {
      calls.unsent(message)
      this.fireError(error, message, ++this.#errors)
      throw error
    }
  }

  /** Sends what was held back. */
  release(): void {
    const held = this.#held
    if (held.length === 0) return
    this.#held = []
    this.#heldBytes = 0
    this.#link.gather(() => {
      try {
        for (const payload of held) this.#parts.stream.send(payload)
      } catch (error) {
        if (!(error instanceof ClosedError)) throw error
        // The stream has ended meanwhile, as it might have a moment later.
      }
    })
  }

  /** Ends this direction behind what was written. */
  end(): void {
    this.release()
    this.#parts.stream.end().catch((error: Error) => this.fireError(error))
  }

  /** The stream has closed. */
  closed(): void {
    this.fireClose()
  }

  /** True: it goes out with others. What may be refused is sent at once. */
  #hold({ payload, descriptors }: Encoded): boolean {
    const { stream, turns, holdsBack } = this.#parts
    if (!holdsBack || turns.waiting === 0 || stream.destroyed) return false
    if (!(payload instanceof Uint8Array) || payload.length > mostHeldBytes || descriptors.length > 0) return false
    if (payload.length > stream.limits.maxPayload) return false
    if (this.#held.length === 0) this.#heldSince = now()
    this.#held.push(payload)
    this.#heldBytes += payload.length
    if (this.#held.length >= mostHeld || this.#heldBytes > mostHeldBytes) this.release()
    else this.#watch(turns.seen)
    return true
  }

  /** Lets go of it behind a turn of the loop in which the connection took no message, or the last one. */
  #watch(seen: number): void {
    if (this.#watching) return
    this.#watching = true
    setImmediate(() => {
      this.#watching = false
      if (this.#held.length === 0) return
      const { turns } = this.#parts
      const late = now() - this.#heldSince > heldMilliseconds
      if (late || turns.waiting === 0 || turns.seen === seen) this.release()
      else this.#watch(turns.seen)
    })
  }
}
