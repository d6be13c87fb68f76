/**
 * Holds the peer back while too many of its messages wait for their turn. Decides by numbers alone.
 */
import { RpcError } from '../../rpc/index.js'
import type { FrameStream } from '../../stream/index.js'
import type { Turns } from './turns.js'

/** Messages, and descriptors in them, that may wait in the connection; the peer then waits until half of them had their turn. */
const mostWaiting = 1024
/** The same while answers are awaited, which come by the same way, by calls that those messages wait for. */
const mostAheadOfAnswer = 16 * mostWaiting

export interface BackPressureParts {
  readonly stream: FrameStream
  readonly turns: Turns
  /** What is behind the messages that wait may be what lets them go on. */
  readonly needsMore: () => boolean
}

export class BackPressure {
  readonly #parts: BackPressureParts
  #held = false

  constructor(parts: BackPressureParts) {
    this.#parts = parts
  }

  /** To be called when more or fewer messages wait, or an answer is awaited. */
  update(): void {
    const { stream, turns, needsMore } = this.#parts
    const waiting = turns.waiting + turns.descriptors
    const held = waiting > (this.#held ? mostWaiting / 2 : mostWaiting) && !needsMore()
    if (held !== this.#held) {
      this.#held = held
      if (held) stream.pause()
      else stream.resume()
    }
    if (waiting > mostAheadOfAnswer && !held) {
      const text = `more than ${mostAheadOfAnswer} messages and descriptors wait for calls that wait for the peer's answer`
      stream.destroy(new RpcError('overloaded', text, { origin: 'remote' }))
    }
  }
}
