/**
 * Whether a message holds what it says that it holds. A few bytes can claim a list of millions of elements that take no room,
 * or let many pointers share what they point to; a method that goes through such a list, and both libraries where they copy
 * one, would be at it for minutes.
 *
 * Pointers say of themselves what they point to: no schema is needed. What cannot be followed is left to the libraries, which
 * throw at it. Where the schema has a list they take any pointer for one, which only whoever knows the schema could see.
 */

const bytesInWord = 8
/** Elements without room, beyond what has some. Cap'n Proto itself counts a word for each. */
const mostEmpty = 4096
/** Bits of an element, by the size in a list pointer; pointers and structs are gone through instead. */
const bitsOfElement = [0, 1, 8, 16, 32, 64]
const pointers = 6
const composite = 7

/** Throws for a message that is more to go through than its bytes can hold. */
export function checkExtent(message: Uint8Array): void {
  new Walk(message).go()
}

/** Pointers side by side in a segment, or in each of the structs of a list. Positions are words of the whole message. */
interface Run {
  readonly segment: number
  readonly at: number
  readonly pointers: number
  readonly times: number
  readonly step: number
}

class Walk {
  readonly #view: DataView
  /** Where each segment begins, and behind the last its end. */
  readonly #bounds: number[] = []
  readonly #runs: Run[] = []
  /** A tree has no more than its words, and as many empty structs as it has pointers. */
  #left: number

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#view = new DataView(buffer, byteOffset, byteLength)
    const segments = this.#view.getUint32(0, true) + 1
    let at = (segments >> 1) + 1
    for (let i = 0; i < segments; i++) {
      this.#bounds.push(at)
      at += this.#view.getUint32(4 * (i + 1), true)
    }
    const end = byteLength / bytesInWord
    if (at > end) throw new Error('the segments of a message are longer than it')
    this.#bounds.push(at)
    this.#left = 2 * end + mostEmpty
  }

  go(): void {
    this.#follow(0, this.#bounds[0]!)
    for (let run = this.#runs.pop(); run !== undefined; run = this.#runs.pop()) {
      const end = this.#bounds[run.segment + 1]!
      for (let i = 0, at = run.at; i < run.times && at < end; i++, at += run.step) {
        const last = Math.min(at + run.pointers, end)
        for (let pointer = at; pointer < last; pointer++) this.#follow(run.segment, pointer)
      }
    }
  }

  #follow(segment: number, at: number): void {
    if (!this.#holds(segment, at)) return
    const low = this.#low(at)
    const high = this.#high(at)
    if ((low & 3) === 2) this.#followFar(low, high)
    else this.#content(segment, at + 1 + (low >> 2), low, high)
  }

  #followFar(low: number, segment: number): void {
    this.#count(1)
    const pad = (this.#bounds[segment] ?? Number.NaN) + (low >>> 3)
    if (!this.#holds(segment, pad)) return
    const [padLow, padHigh] = [this.#low(pad), this.#high(pad)]
    if ((low & 4) === 0) this.#content(segment, pad + 1 + (padLow >> 2), padLow, padHigh)
    else if (this.#holds(segment, pad + 1)) {
      const offset = (padLow & 2) === 2 ? padLow >>> 3 : padLow >> 2 // the libraries do not see whether it is a far pointer
      const start = (this.#bounds[padHigh] ?? Number.NaN) + offset
      this.#content(padHigh, start, this.#low(pad + 1), this.#high(pad + 1))
    }
  }

  /** @param at where it begins, whatever that is */
  #content(segment: number, at: number, low: number, high: number): void {
    const kind = low & 3
    if ((low === 0 && high === 0) || kind > 1) return
    if (kind === 0) this.#struct(segment, at, high & 0xffff, high >>> 16)
    else if ((high & 7) === composite) this.#structs(segment, at)
    else this.#list(segment, at, high & 7, high >>> 3)
  }

  #struct(segment: number, at: number, data: number, count: number): void {
    this.#count(Math.max(1, data + count))
    if (count > 0) this.#runs.push({ segment, at: at + data, pointers: count, times: 1, step: 1 })
  }

  #structs(segment: number, tag: number): void {
    if (!this.#holds(segment, tag)) return this.#count(1)
    const times = this.#low(tag) >>> 2
    const size = this.#high(tag)
    const data = size & 0xffff
    const step = data + (size >>> 16)
    this.#count(Math.max(1, times, times * step))
    if (step > data) this.#runs.push({ segment, at: tag + 1 + data, pointers: step - data, times, step })
  }

  #list(segment: number, at: number, size: number, length: number): void {
    if (size === pointers) {
      this.#count(Math.max(1, length))
      this.#runs.push({ segment, at, pointers: length, times: 1, step: length })
      return
    }
    const words = Math.ceil((length * bitsOfElement[size]!) / 64)
    const isWithin = words > 0 && this.#holds(segment, at) && this.#holds(segment, at + words - 1)
    this.#count(Math.max(1, isWithin ? words : length))
  }

  #count(words: number): void {
    this.#left -= words
    if (this.#left < 0) throw new Error('a message has more in it than its bytes can hold')
  }

  #holds(segment: number, at: number): boolean {
    return at >= (this.#bounds[segment] ?? Number.NaN) && at < (this.#bounds[segment + 1] ?? Number.NaN)
  }

  #low(at: number): number {
    return this.#view.getInt32(at * bytesInWord, true)
  }

  #high(at: number): number {
    return this.#view.getUint32(at * bytesInWord + 4, true)
  }
}
