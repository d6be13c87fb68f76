/**
 * LargeFrame: a frame that is being assembled in memory of its own, since it did not all come at once. The memory is
 * what its header announced, which the codec has held against the limit. Knows nothing of descriptors.
 */
import type { FrameReader } from './codec.js'

/** Gives memory of so many bytes, whatever its content, which nobody else writes to while the frame lies in it. */
export type Allocate = (bytes: number) => Uint8Array

/** Nobody else's for good. Not zeroed: no byte is shown before it was received. */
export const allocateFresh: Allocate = (bytes) => new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer)

export class LargeFrame {
  /** Stream position of the frame's first byte. */
  readonly position: number
  /** Bytes on the wire. */
  readonly length: number
  readonly payloadLength: number
  readonly flags: number
  /** The payload, and what follows it on the wire. */
  readonly memory: Uint8Array
  /** What precedes the payload on the wire. */
  readonly header: Uint8Array
  readonly #memoryPosition: number
  #filled = 0

  /** The frame that `reader` has just measured, which begins at `bytes[start]`. */
  constructor(
    position: number,
    length: number,
    reader: FrameReader,
    bytes: Uint8Array,
    start: number,
    memory: Allocate,
  ) {
    this.position = position
    this.length = length
    this.payloadLength = reader.payloadLength
    this.flags = reader.flags ?? 0
    this.#memoryPosition = position + reader.payloadOffset
    this.header = new Uint8Array(bytes.subarray(start, start + reader.payloadOffset))
    this.memory = memory(length - reader.payloadOffset)
  }

  get complete(): boolean {
    return this.#filled === this.memory.length
  }

  /** Stream position just behind the frame. */
  get end(): number {
    return this.position + this.length
  }

  /** Bytes of the frame that are there. */
  get received(): number {
    return this.#memoryPosition - this.position + this.#filled
  }

  /** The bytes that are there. */
  get begun(): Uint8Array {
    return Buffer.concat([this.header, this.memory.subarray(0, this.#filled)])
  }

  /** Stream position of the payload. */
  get payloadPosition(): number {
    return this.#memoryPosition
  }

  /** Where the next bytes belong. */
  get rest(): Uint8Array {
    return this.memory.subarray(this.#filled)
  }

  /** So many bytes have been written into `rest`. */
  advance(count: number): void {
    this.#filled += count
  }

  /** Copies what it lacks out of [start, end); returns how many bytes those were. */
  fill(bytes: Uint8Array, start: number, end: number): number {
    const count = Math.min(end - start, this.memory.length - this.#filled)
    if (count === 0) return 0
    this.memory.set(bytes.subarray(start, start + count), this.#filled)
    this.#filled += count
    return count
  }
}
