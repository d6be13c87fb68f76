/**
 * Pairing: which descriptors belong to which frame. The decoder says where frames start and end, the pairing gives each
 * its descriptors or throws DescriptorMismatchError. It knows nothing of bytes, and never guesses.
 *
 * All positions are positions in the stream. A method that throws has handed over nothing: what it was working on is
 * still in `release`.
 */
import type { PairedFrame } from '../bearing-frame.js'
import type { DescriptorSet } from '../descriptor-set.js'

export interface Pairing {
  /** Sets that have just been received, with all bytes before their ends. */
  push(sets: readonly DescriptorSet[]): void
  /** The frame that starts at `position` announces `count` descriptors, more than 0. */
  begin(position: number, count: number): PairedFrame
  /** Frames that end before this position and bear nothing need not be told of. */
  readonly attention: number
  /** All of the frame in [start, end) is there; `frame` is what `begin` made of it. Returns what it bears, if anything. */
  complete(frame: PairedFrame | undefined, start: number, end: number): PairedFrame | undefined
  /** To be called when the frames at hand have been told: `known` is where the headers end that could be read. */
  settle(known: number): void
  /**
   * After `settle`: a complete frame that still lacks descriptors, while a set is there of which only the next header
   * will tell whose it is. Neither it nor any frame behind it may be delivered.
   */
  readonly undecided: PairedFrame | undefined
  /** After `settle`: something has come whose frame is not complete, if it is known at all. */
  readonly holds: boolean
  /** Hands over the descriptors that no frame has. */
  release(): number[]
}
