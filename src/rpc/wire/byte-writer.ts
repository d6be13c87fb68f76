/**
 * ByteWriter: the parts that messages are made of, into memory that grows and is used again.
 */
const firstBytes = 4096
/** Larger memory than this is given back after the message that needed it. */
const keptBytes = 256 * 1024

export class ByteWriter {
  #memory = Buffer.allocUnsafeSlow(firstBytes)
  #end = 0

  start(): void {
    if (this.#memory.length > keptBytes) this.#memory = Buffer.allocUnsafeSlow(firstBytes)
    this.#end = 0
  }

  /** What was written since `start`; valid until the next one. No Buffer: the `slice` of one is no copy. */
  get bytes(): Uint8Array {
    return new Uint8Array(this.#memory.buffer, 0, this.#end)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#memory[this.#end++] = value
  }

  /** LEB128: seven bits a byte, the least first, bit 7 where more follow. Up to 2^53. */
  integer(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#memory[this.#end++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#memory[this.#end++] = rest
  }

  /** Its length in bytes, then UTF-8. */
  string(value: string): void {
    const length = Buffer.byteLength(value)
    this.integer(length)
    this.#reserve(length)
    this.#memory.write(value, this.#end, length)
    this.#end += length
  }

  /** Its length, then the bytes. */
  bytesOf(value: Uint8Array): void {
    this.integer(value.length)
    this.rest(value)
  }

  /** The bytes alone: the last of a message. */
  rest(value: Uint8Array): void {
    this.#reserve(value.length)
    this.#memory.set(value, this.#end)
    this.#end += value.length
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes
    if (needed <= this.#memory.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#memory.length * 2))
    this.#memory.copy(larger, 0, 0, this.#end)
    this.#memory = larger
  }
}
