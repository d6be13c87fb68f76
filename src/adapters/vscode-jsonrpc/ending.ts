/**
 * The end of what a connection reads: known at once, and told when all that came before has had its turn.
 */
import { setImmediate } from '../../event-loop.js'
import type { FrameStream } from '../../stream/index.js'
import type { Turns } from './turns.js'

export interface EndingParts {
  readonly turns: Turns
  /** Nothing comes any more. Once, when that is known. */
  onEnd(): void
  /** Nothing waits any more either. Once; with what ended the stream, if that was abnormal. */
  onClose(error: Error | undefined): void
}

export class Ending {
  readonly #parts: EndingParts
  #end: { readonly error: Error | undefined } | undefined
  #closed = false

  constructor(parts: EndingParts) {
    this.#parts = parts
  }

  get isKnown(): boolean {
    return this.#end !== undefined
  }

  watch(stream: FrameStream): void {
    stream.on('end', () => this.#ended(undefined))
    stream.closed.then(
      () => this.#ended(undefined),
      (error: Error) => this.#ended(error),
    )
  }

  /** To be called when fewer messages wait. */
  turned(): void {
    if (this.#end !== undefined && this.#parts.turns.waiting === 0) setImmediate(() => this.#close())
  }

  #ended(error: Error | undefined): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    this.#parts.onEnd()
    this.#parts.turns.fence()
    this.turned()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#parts.onClose(this.#end?.error)
  }
}
