/**
 * BearingFrame: what has come of the descriptors of one frame. The pairing fills it, whoever is given the frame takes
 * `fds` over. Knows nothing of bytes but where in the stream the frame starts.
 */

/** The descriptors of a frame that has been received. */
export interface BearingFrame {
  /** In the sender's order; a prefix, where some are lost. */
  readonly fds: readonly number[]
  /** How many the header announced; 0 in formats that announce none. */
  readonly announced: number
  /** How many are missing because they could not be installed here. Without an announcement, 1 is at least one. */
  readonly lost: number
}

/** One that may still be waiting for its descriptors. */
export class PairedFrame implements BearingFrame {
  readonly fds: number[] = []
  readonly announced: number
  /** Stream position of the frame's first byte. */
  readonly position: number
  /** Descriptors seen for it, those included that were not kept. */
  seen = 0
  truncated = false
  /** All its bytes are there. */
  complete = false
  /** It has been given away, and `fds` with it. */
  delivered = false

  constructor(position: number, announced: number) {
    this.position = position
    this.announced = announced
  }

  get lost(): number {
    if (this.announced > 0) return this.announced - this.fds.length
    return this.truncated ? 1 : 0
  }

  /** Nothing is missing that could still come. */
  get satisfied(): boolean {
    return this.truncated || this.seen === this.announced
  }
}
