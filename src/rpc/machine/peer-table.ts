/**
 * PeerTable: entries by numbers that the peer gives out. A peer gives small ones, and the same again and again: those are
 * places of an array, where a Map would be made anew every few calls. It may give any: the others are in a Map.
 */
const places = 4096

export class PeerTable<T> {
  readonly #small: (T | undefined)[] = []
  readonly #large = new Map<number, T>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): T | undefined {
    return id < places ? this.#small[id] : this.#large.get(id)
  }

  /** @param id in use by no entry */
  set(id: number, entry: T): void {
    this.#size++
    if (id >= places) {
      this.#large.set(id, entry)
      return
    }
    while (this.#small.length < id) this.#small.push(undefined) // without holes, which make an array slow
    this.#small[id] = entry
  }

  delete(id: number): void {
    if (this.get(id) === undefined) return
    this.#size--
    if (id < places) this.#small[id] = undefined
    else this.#large.delete(id)
  }

  /** Takes all entries out. */
  clear(): T[] {
    const entries = [...this.#small.filter((entry): entry is T => entry !== undefined), ...this.#large.values()]
    this.#small.length = 0
    this.#large.clear()
    this.#size = 0
    return entries
  }
}
