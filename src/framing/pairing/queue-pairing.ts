/**
 * Pairing for formats whose senders let descriptors run ahead of their frame (Wayland): all that have arrived form a
 * queue, and a frame takes as many off its front as it announces.
 *
 * A frame is given them when its last byte is there. By then its sets have come: descriptors may be early, and are never
 * late. So a set whose recvmsg began behind that byte is another frame's, and the frame has too few. Of a set whose recvmsg
 * began at or before it nobody can tell whose it is but by the counts.
 */
import { DescriptorLostError, DescriptorMismatchError } from '../../errors.js'
import { PairedFrame } from '../bearing-frame.js'
import type { DescriptorSet } from '../descriptor-set.js'
import type { Pairing } from './pairing.js'

/** What one recvmsg brings at most (docs/kernel.md fact 6): so many may wait beside those of the frame at hand. */
const mostAhead = 253

interface QueuedSet {
  /** Stream position of the first byte of its recvmsg, as far as it is known: it is no later. */
  readonly start: number
  readonly fds: readonly number[]
  readonly truncated: boolean
  /** How many of `fds` have found their frame. */
  taken: number
}

export class QueuePairing implements Pairing {
  readonly undecided = undefined
  readonly attention = Number.POSITIVE_INFINITY
  readonly #mostHeld: number
  readonly #discarded: number[]
  readonly #queue: QueuedSet[] = []
  #held = 0
  /** Where the last recvmsg ended that was told of. */
  #told = 0
  /** Nothing behind a truncated set can be told to belong to any frame. */
  #gap = false
  #lost = false

  /** @param discarded takes the descriptors that nobody may have */
  constructor(maxDescriptors: number, discarded: number[]) {
    this.#mostHeld = maxDescriptors + mostAhead
    this.#discarded = discarded
  }

  push(sets: readonly DescriptorSet[]): void {
    for (const { end, fds, truncated } of sets) {
      const start = this.#told
      this.#told = end
      if (this.#gap) {
        this.#discarded.push(...fds)
        continue
      }
      if (fds.length === 0 && !truncated) continue
      this.#gap = truncated
      this.#held += fds.length
      this.#queue.push({ start, fds, truncated, taken: 0 })
    }
  }

  begin(position: number, count: number): PairedFrame {
    if (this.#lost) {
      const message = `descriptors were lost ahead of byte ${position} of the stream, and in a format that pairs them by their order alone nobody can tell whose the next ones are`
      throw new DescriptorLostError(message)
    }
    return new PairedFrame(position, count)
  }

  complete(frame: PairedFrame | undefined, _start: number, end: number): PairedFrame | undefined {
    if (frame === undefined) return undefined
    const [available, gap] = this.#availableUpTo(end)
    if (available < frame.announced && !gap) {
      const message = `a frame takes ${frame.announced} descriptors and ${available} arrived`
      throw new DescriptorMismatchError(message, frame.position)
    }
    frame.complete = true
    frame.seen = Math.min(available, frame.announced)
    frame.fds.push(...this.#take(frame.seen))
    if (frame.seen < frame.announced) {
      frame.truncated = true
      this.#lost = true
    }
    return frame
  }

  settle(known: number): void {
    if (this.#held <= this.#mostHeld) return
    const message = `${this.#held} descriptors are waiting for a frame that takes them, the limit is ${this.#mostHeld}`
    throw new DescriptorMismatchError(message, known)
  }

  get holds(): boolean {
    return this.#held > 0 || this.#gap
  }

  release(): number[] {
    return this.#take(this.#held)
  }

  /** What a frame that ends at `end` may take, and whether a gap follows it. */
  #availableUpTo(end: number): [count: number, gap: boolean] {
    let count = 0
    for (const set of this.#queue) {
      if (set.start >= end) break
      count += set.fds.length - set.taken
      if (set.truncated) return [count, true]
    }
    return [count, false]
  }

  #take(count: number): number[] {
    const fds: number[] = []
    let drained = 0
    for (const set of this.#queue) {
      const part = set.fds.slice(set.taken, set.taken + count - fds.length)
      fds.push(...part)
      set.taken += part.length
      if (set.taken < set.fds.length || set.truncated) break
      drained++
    }
    this.#queue.splice(0, drained)
    this.#held -= fds.length
    return fds
  }
}
