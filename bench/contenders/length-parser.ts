/**
 * Frames of a u32 length and a payload, out of chunks that end anywhere: what an expert puts behind node:net.
 *
 * Whole frames are shown where they lie in the chunk. One that goes on in the next chunk is put together in memory of its
 * own, which is used again: valid during the call.
 */
import type { OnFrame } from '../roles/link.js'

export const headerBytes = 4

const noBytes = Buffer.alloc(0)

export class LengthParser {
  readonly #onFrame: OnFrame
  #partial: Buffer = noBytes
  /** Of the partial frame, its header included; 0: there is none. */
  #have = 0

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame
  }

  /** Where what a partial frame lacks may be received into, then `advance`; undefined while its header is not whole. */
  get rest(): Uint8Array | undefined {
    if (this.#have < headerBytes) return undefined
    return this.#partial.subarray(this.#have, headerBytes + sizeAt(this.#partial, 0))
  }

  /** So many bytes came into `rest`. */
  advance(length: number): void {
    this.#have += length
    this.#finish()
  }

  push(chunk: Uint8Array, length: number): void {
    let at = this.#have > 0 ? this.#goOn(chunk, length) : 0
    while (length - at >= headerBytes) {
      const end = at + headerBytes + sizeAt(chunk, at)
      if (end > length) break
      this.#onFrame(chunk, at + headerBytes, end, 0)
      at = end
    }
    if (at < length) this.#begin(chunk, at, length)
  }

  /** Where the chunk's first own frame begins. */
  #goOn(chunk: Uint8Array, length: number): number {
    let at = 0
    while (this.#have < headerBytes) {
      if (at === length) return at
      this.#partial[this.#have++] = chunk[at++] as number
    }
    const whole = headerBytes + sizeAt(this.#partial, 0)
    this.#makeRoom(whole)
    const more = Math.min(whole - this.#have, length - at)
    this.#partial.set(chunk.subarray(at, at + more), this.#have)
    this.#have += more
    at += more
    this.#finish()
    return at
  }

  #finish(): void {
    const whole = headerBytes + sizeAt(this.#partial, 0)
    if (this.#have < whole) return
    this.#have = 0
    this.#onFrame(this.#partial, headerBytes, whole, 0)
  }

  #begin(chunk: Uint8Array, at: number, length: number): void {
    const have = length - at
    this.#makeRoom(have >= headerBytes ? headerBytes + sizeAt(chunk, at) : headerBytes)
    this.#partial.set(chunk.subarray(at, length), 0)
    this.#have = have
  }

  #makeRoom(bytes: number): void {
    if (this.#partial.length >= bytes) return
    const larger = Buffer.allocUnsafeSlow(Math.max(256, bytes))
    larger.set(this.#partial.subarray(0, this.#have))
    this.#partial = larger
  }
}

function sizeAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  )
}
