/**
 * PendingSets: the sets that have been received and belong to no frame yet, in their order. Owns their descriptors.
 */
import type { DescriptorSet } from '../descriptor-set.js'

export class PendingSets {
  /** Made with the first one. */
  #sets: DescriptorSet[] | undefined
  #first = 0
  #weight = 0

  get next(): DescriptorSet | undefined {
    return this.#sets?.[this.#first]
  }

  /** All their descriptors together; a set that lost all of its own counts for one. */
  get weight(): number {
    return this.#weight
  }

  push(sets: readonly DescriptorSet[]): void {
    for (const set of sets) {
      if (set.fds.length === 0 && !set.truncated) continue
      this.#sets ??= []
      this.#sets.push(set)
      this.#weight += setWeight(set)
    }
  }

  /** What of the weight is in sets that end at or before `position`. */
  weightUpTo(position: number): number {
    let weight = 0
    if (this.#sets === undefined) return 0
    for (let i = this.#first; i < this.#sets.length; i++) {
      const set = this.#sets[i]!
      if (set.end > position) break
      weight += setWeight(set)
    }
    return weight
  }

  /** `next` has found its frame. */
  shift(): void {
    const sets = this.#sets!
    this.#weight -= setWeight(sets[this.#first++]!)
    if (this.#first === sets.length) {
      this.#sets = undefined
      this.#first = 0
    }
  }

  /** Hands all descriptors over. */
  release(): number[] {
    const fds = this.#sets?.slice(this.#first).flatMap((set) => set.fds) ?? []
    this.#sets = undefined
    this.#first = 0
    this.#weight = 0
    return fds
  }
}

/** One at least, so that empty sets cannot be sent without end either. */
export function setWeight(set: DescriptorSet): number {
  return Math.max(1, set.fds.length)
}
