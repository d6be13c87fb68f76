/**
 * GrowingFrame: the start of a frame whose length nobody knows yet, in memory that grows as its bytes arrive.
 *
 * A peer cannot make it grow without end: the reader refuses a frame as soon as it cannot stay within the limit. Knows
 * nothing of descriptors.
 */
const nothing = new Uint8Array(0)

export class GrowingFrame {
  /** Stream position of the frame's first byte. */
  readonly position: number
  #memory: Uint8Array = nothing
  #length = 0

  constructor(position: number) {
    this.position = position
  }

  /** What is there lies in [0, length). It moves when bytes are added. */
  get memory(): Uint8Array {
    return this.#memory
  }

  get length(): number {
    return this.#length
  }

  /** Copies [start, end). Doubling, so that a byte is moved once or twice in all. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start
    if (length > this.#memory.length) {
      const larger = new Uint8Array(Buffer.allocUnsafeSlow(length * 2).buffer)
      larger.set(this.#memory.subarray(0, this.#length))
      this.#memory = larger
    }
    this.#memory.set(bytes.subarray(start, end), this.#length)
    this.#length = length
  }
}
