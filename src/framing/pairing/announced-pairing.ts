/**
 * Pairing for formats that announce how many descriptors a frame bears.
 *
 * A set belongs to the last bearing frame that starts at or before the last byte of the recvmsg that returned it. While
 * that byte lies in a header that is not all there, nobody knows whether that frame bears: the set is held. A frame all
 * of whose bytes are there has had every recvmsg that could bring it a set, so if none is held it is as it will stay.
 */
import { DescriptorMismatchError } from '../../errors.js'
import { PairedFrame } from '../bearing-frame.js'
import type { DescriptorSet } from '../descriptor-set.js'
import type { Pairing } from './pairing.js'
import { PendingSets, setWeight } from './pending-sets.js'

/** Of connections that no descriptors have come over yet: it is only looked at. */
const noPending = new PendingSets()

export class AnnouncedPairing implements Pairing {
  #pending = noPending
  readonly #maxDescriptors: number
  readonly #discarded: number[]
  /** The last bearing frame that has started. */
  #bearer: PairedFrame | undefined

  /** @param discarded takes the descriptors that nobody may have */
  constructor(maxDescriptors: number, discarded: number[]) {
    this.#maxDescriptors = maxDescriptors
    this.#discarded = discarded
  }

  /** Those that bear are told of anyway. */
  get attention(): number {
    return Number.POSITIVE_INFINITY
  }

  push(sets: readonly DescriptorSet[]): void {
    if (this.#pending === noPending) this.#pending = new PendingSets()
    this.#pending.push(sets)
  }

  begin(position: number, count: number): PairedFrame {
    this.#assignUpTo(position)
    if (this.#bearer !== undefined && !this.#bearer.satisfied) throw tooFew(this.#bearer)
    this.#bearer = new PairedFrame(position, count)
    return this.#bearer
  }

  complete(frame: PairedFrame | undefined): PairedFrame | undefined {
    if (frame !== undefined) frame.complete = true
    return frame
  }

  settle(known: number): void {
    this.#assignUpTo(known)
    const held = this.#pending.weight
    if (held > this.#maxDescriptors) {
      const message = `${held} descriptors came with a header that is not complete, the limit of a frame is ${this.#maxDescriptors}`
      throw new DescriptorMismatchError(message, known)
    }
    const bearer = this.#bearer
    if (held === 0 && bearer?.complete === true && !bearer.satisfied) throw tooFew(bearer)
  }

  get undecided(): PairedFrame | undefined {
    const bearer = this.#bearer
    return bearer?.complete === true && !bearer.satisfied ? bearer : undefined
  }

  get holds(): boolean {
    return this.#pending.weight > 0 || this.#bearer?.complete === false
  }

  release(): number[] {
    return this.#pending.release()
  }

  #assignUpTo(position: number): void {
    for (let set = this.#pending.next; set !== undefined && set.end <= position; set = this.#pending.next) {
      this.#assign(set)
      this.#pending.shift()
    }
  }

  #assign(set: DescriptorSet): void {
    const bearer = this.#bearer
    if (bearer === undefined) {
      throw new DescriptorMismatchError('descriptors arrived and no frame has announced any', set.end - 1)
    }
    const seen = bearer.seen + setWeight(set)
    if (seen > bearer.announced) {
      const message = `a frame announced ${bearer.announced} descriptors and ${seen} or more arrived`
      throw new DescriptorMismatchError(message, bearer.delivered ? set.end - 1 : bearer.position)
    }
    bearer.seen = seen
    if (bearer.truncated) {
      // Behind a gap: what a frame is given must be a prefix.
      this.#discarded.push(...set.fds)
      return
    }
    bearer.fds.push(...set.fds)
    bearer.truncated = set.truncated
  }
}

function tooFew(frame: PairedFrame): DescriptorMismatchError {
  const message = `a frame announced ${frame.announced} descriptors and ${frame.seen} arrived`
  return new DescriptorMismatchError(message, frame.position)
}
