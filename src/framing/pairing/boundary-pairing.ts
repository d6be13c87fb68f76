/**
 * Pairing for formats that do not announce descriptors: a set belongs to the frame that holds the last byte of the
 * recvmsg that returned it. Senders of such formats end each send with descriptors at the end of its frame.
 */
import { DescriptorMismatchError } from '../../errors.js'
import { PairedFrame } from '../bearing-frame.js'
import type { DescriptorSet } from '../descriptor-set.js'
import type { Pairing } from './pairing.js'
import { PendingSets } from './pending-sets.js'

export class BoundaryPairing implements Pairing {
  readonly undecided = undefined
  readonly #pending = new PendingSets()
  readonly #maxDescriptors: number
  readonly #discarded: number[]

  /** @param discarded takes the descriptors that nobody may have */
  constructor(maxDescriptors: number, discarded: number[]) {
    this.#maxDescriptors = maxDescriptors
    this.#discarded = discarded
  }

  push(sets: readonly DescriptorSet[]): void {
    this.#pending.push(sets)
  }

  begin(position: number, count: number): PairedFrame {
    throw new DescriptorMismatchError(`a frame announces ${count} descriptors in a format that has no count`, position)
  }

  get attention(): number {
    return this.#pending.next?.end ?? Number.POSITIVE_INFINITY
  }

  complete(_frame: PairedFrame | undefined, start: number, end: number): PairedFrame | undefined {
    const weight = this.#pending.weightUpTo(end)
    if (weight > this.#maxDescriptors) throw this.#tooMany(weight, start)
    if (weight === 0) return undefined
    const frame = new PairedFrame(start, 0)
    frame.complete = true
    for (let set = this.#pending.next; set !== undefined && set.end <= end; set = this.#pending.next) {
      // Behind a gap nothing is kept: what a frame is given must be a prefix.
      const { fds } = set
      if (frame.truncated) this.#discarded.push(...fds)
      else frame.fds.push(...fds)
      frame.truncated ||= set.truncated
      this.#pending.shift()
    }
    return frame
  }

  settle(): void {
    // Those of complete frames are gone: what is left came with one frame, not all there yet.
    const { weight, next } = this.#pending
    if (next !== undefined && weight > this.#maxDescriptors) throw this.#tooMany(weight, next.end - 1)
  }

  get holds(): boolean {
    return this.#pending.weight > 0
  }

  release(): number[] {
    return this.#pending.release()
  }

  #tooMany(count: number, position: number): DescriptorMismatchError {
    const message = `${count} descriptors came with one frame, the limit is ${this.#maxDescriptors}`
    return new DescriptorMismatchError(message, position)
  }
}
