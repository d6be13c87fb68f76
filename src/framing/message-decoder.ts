/**
 * MessageDecoder: what FrameDecoder is for a stream, where the kernel keeps boundaries: a message is a frame, and the
 * descriptors that came with it are its own.
 *
 * Owns every descriptor pushed into it, until it comes out with a frame, in `discarded` or by `release`; it never closes
 * one. Knows no socket, clock or promise.
 */
import { DescriptorMismatchError, FrameTooLargeError, type PillionError } from '../errors.js'
import { PairedFrame } from './bearing-frame.js'
import type { DescriptorSet } from './descriptor-set.js'
import type { FrameTable } from './frame-table.js'
import type { FrameLimits } from './limits.js'

const nothing = new Uint8Array(0)

export class MessageDecoder {
  /** Descriptors that nobody may have, to be closed and taken out by the caller after each push. */
  readonly discarded: number[] = []
  /** No message needs memory before it is there. */
  readonly wanted: Uint8Array | undefined = undefined
  readonly assembling: number = 0
  readonly latestLength: number = 0

  readonly #limits: FrameLimits
  #bytes: Uint8Array = nothing
  #start = 0
  #end = 0
  #position = 0
  #sets: readonly DescriptorSet[] = []
  #error: PillionError | undefined
  #released = false

  constructor(limits: FrameLimits) {
    this.#limits = limits
  }

  /**
   * Messages that have been received, whole; then call `next` until it returns false, and only then let go of `bytes`.
   * @param _lent 0
   * @param position stream position of `bytes[start]`
   * @param sets one for each message, ending where it ends; owned from now on
   */
  push(
    _lent: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    position: number,
    sets: readonly DescriptorSet[],
  ): void {
    this.#bytes = bytes
    this.#start = start
    this.#end = end
    this.#position = position
    if (this.#error === undefined && !this.#released) this.#sets = sets
    else this.#discard(sets, 0)
  }

  /** Fills `table` with the messages; their descriptors are the caller's from now on. False: there are none. */
  next(table: FrameTable): boolean {
    const sets = this.#sets
    const origin = this.#position - this.#start
    this.#sets = []
    table.reset(this.#bytes, origin, false)
    let from = this.#position
    for (const [i, set] of sets.entries()) {
      this.#error = this.#faultOf(set, from)
      if (this.#error !== undefined) {
        this.#discard(sets, i)
        break
      }
      table.add(from - origin, set.end - origin, 0, bearingFrame(set, from))
      from = set.end
    }
    table.deliver()
    return table.length > 0
  }

  /** All of it. */
  get consumed(): number {
    return this.#end - this.#start
  }

  /** As FrameDecoder: nothing is held between two messages. */
  get resumable(): boolean {
    return this.#error === undefined && !this.#released
  }

  get begun(): Uint8Array {
    return nothing
  }

  /** Why no frame comes any more. The frames ahead of the fault have been delivered. */
  get error(): PillionError | undefined {
    return this.#error
  }

  /** An end between two messages is a good one, and there is no other. */
  finish(): PillionError | undefined {
    return this.#error
  }

  /** Hands over every descriptor that is still held, to be closed. Nothing comes of the decoder any more. */
  release(): number[] {
    this.#discard(this.#sets, 0)
    this.#sets = []
    this.#bytes = nothing
    this.#released = true
    return this.discarded.splice(0)
  }

  #faultOf(set: DescriptorSet, from: number): PillionError | undefined {
    const { maxPayload, maxDescriptors } = this.#limits
    const received = set.end - from
    const { messageLength = received } = set
    if (messageLength > Math.min(received, maxPayload)) {
      return new FrameTooLargeError(`a message of ${messageLength} bytes, the limit is ${maxPayload}`, maxPayload, from)
    }
    if (set.fds.length <= maxDescriptors) return undefined
    const message = `${set.fds.length} descriptors came with one frame, the limit is ${maxDescriptors}`
    return new DescriptorMismatchError(message, from)
  }

  #discard(sets: readonly DescriptorSet[], from: number): void {
    for (let i = from; i < sets.length; i++) this.discarded.push(...(sets[i] as DescriptorSet).fds)
  }
}

function bearingFrame(set: DescriptorSet, position: number): PairedFrame | undefined {
  if (set.fds.length === 0 && !set.truncated) return undefined
  const frame = new PairedFrame(position, 0)
  frame.fds.push(...set.fds)
  frame.truncated = set.truncated
  frame.complete = true
  return frame
}
