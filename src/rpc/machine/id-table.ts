/**
 * IdTable: entries by small numbers that are given out densely and used again: the least that is free first, as far as
 * that costs nothing.
 */
export class IdTable<T> {
  readonly #entries: (T | undefined)[] = []
  readonly #free: number[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  add(make: (id: number) => T): T {
    const id = this.nextId
    const entry = make(id)
    this.put(id, entry)
    return entry
  }

  /** The number for the next one, until that is put. */
  get nextId(): number {
    return this.#free.length > 0 ? (this.#free[this.#free.length - 1] as number) : this.#entries.length
  }

  /** @param id the next one */
  put(id: number, entry: T): void {
    this.#free.pop()
    this.#entries[id] = entry
    this.#size++
  }

  get(id: number): T | undefined {
    return this.#entries[id]
  }

  delete(id: number): T | undefined {
    const entry = this.#entries[id]
    if (entry === undefined) return undefined
    this.#entries[id] = undefined
    this.#free.push(id)
    this.#size--
    return entry
  }

  values(): T[] {
    return this.#entries.filter((entry): entry is T => entry !== undefined)
  }

  /** Takes all entries out. */
  clear(): T[] {
    const entries = this.values()
    this.#entries.length = 0
    this.#free.length = 0
    this.#size = 0
    return entries
  }
}
