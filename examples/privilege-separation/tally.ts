/**
 * The count: which descriptors a frame names, and which it got.
 *
 * The same rule for ours and for the others. A descriptor is right if fstat says that it is the file that the frame
 * names at its place. One in the wrong place or frame is misassigned; a name without a descriptor has lost it.
 */

export interface Tally {
  readonly frames: number
  readonly descriptors: number
  readonly misassigned: number
  /** Names without a descriptor. */
  readonly lost: number
  /** Of those, how many the frame itself said are lost: a loss that is known can be dealt with. */
  readonly reported: number
  /** Frames whose payload is not what was sent. */
  readonly damaged: number
}

export class Counting {
  #frames = 0
  #descriptors = 0
  #misassigned = 0
  #lost = 0
  #reported = 0
  #damaged = 0

  /** A frame that names these identities, and got those. */
  frame(named: readonly (string | undefined)[], got: readonly (string | undefined)[], reported = 0): void {
    this.#frames++
    this.#descriptors += got.length
    this.#misassigned += got.filter((identity, place) => identity === undefined || identity !== named[place]).length
    // A frame that says more than is missing, or less, shows as a difference of the two sums.
    const missing = Math.max(0, named.length - got.length)
    this.#lost += Math.max(missing, reported)
    this.#reported += Math.min(missing, reported)
  }

  /** A frame whose payload cannot be trusted to name anything. */
  damagedFrame(): void {
    this.#frames++
    this.#damaged++
  }

  get tally(): Tally {
    return {
      frames: this.#frames,
      descriptors: this.#descriptors,
      misassigned: this.#misassigned,
      lost: this.#lost,
      reported: this.#reported,
      damaged: this.#damaged,
    }
  }
}
