/**
 * ValueWriter: plain MessagePack, written piece by piece, into memory that grows and is used again. Knows the format, and
 * no values but numbers, strings and bytes.
 *
 * Not msgpackr, which reads it: what that writes goes into a buffer that all of a process share (`useBuffer`,
 * RESET_BUFFER_MODE) by rules that anybody may change (`addExtension`).
 */
import { keptCopy } from './kept-copy.js'

const firstBytes = 4096
/** What is larger is handed out as it is; what is smaller, as a copy. */
const copiedBytes = 32 * 1024
/** Strings up to this length are looked at one by one: calling Buffer for them takes longer. */
const shortString = 24
/** Up to this length, strings are written without asking for their length in bytes first. */
const guessedString = 1024

export class ValueWriter {
  #memory = Buffer.allocUnsafeSlow(firstBytes)
  #end = 0

  /** What was written: bytes that nobody else has. The writer is as new from then on. */
  take(): Uint8Array {
    const memory = this.#memory
    const end = this.#end
    this.#end = 0
    if (end <= copiedBytes) return keptCopy(memory, 0, end)
    this.#memory = Buffer.allocUnsafeSlow(firstBytes)
    return new Uint8Array(memory.buffer, 0, end) // no Buffer: the `slice` of one is no copy
  }

  /** Forgets what was written. */
  reset(): void {
    this.#end = 0
    if (this.#memory.length > copiedBytes) this.#memory = Buffer.allocUnsafeSlow(firstBytes)
  }

  nil(): void {
    this.#byte(0xc0)
  }

  boolean(value: boolean): void {
    this.#byte(value ? 0xc3 : 0xc2)
  }

  /** Not -0, which MessagePack has no integer for. */
  number(value: number): void {
    if (value >>> 0 === value) this.#unsigned(value)
    else if ((value | 0) === value) this.#negative(value)
    else {
      this.#reserve(9)
      this.#memory[this.#end] = 0xcb
      this.#end = this.#memory.writeDoubleBE(value, this.#end + 1)
    }
  }

  /** Half a surrogate pair becomes U+FFFD, as UTF-8 has no word for it. */
  string(value: string): void {
    if (value.length <= shortString ? this.#ascii(value) : value.length <= guessedString && this.#asLongAs(value))
      return
    const length = Buffer.byteLength(value)
    this.#header(length, 0xa0, 32, 0xd9)
    this.#reserve(length)
    this.#end += this.#memory.write(value, this.#end, length)
  }

  binary(value: Uint8Array): void {
    this.binaryHead(value.length)
    this.#reserve(value.length)
    this.#memory.set(value, this.#end)
    this.#end += value.length
  }

  /** As many bytes have to follow. */
  binaryHead(length: number): void {
    this.#header(length, 0, 0, 0xc4)
  }

  /** As many values have to follow. */
  array(length: number): void {
    this.#header(length, 0x90, 16, 0xdb)
  }

  /** As many keys have to follow, which are strings, each with its value. */
  map(length: number): void {
    this.#header(length, 0x80, 16, 0xdd)
  }

  /** @param first of the heads that have the length in 8, 16 and 32 bits; arrays and maps have none of 8 */
  #header(length: number, fixed: number, fixedBelow: number, first: number): void {
    this.#reserve(5)
    const memory = this.#memory
    if (length < fixedBelow) {
      memory[this.#end++] = fixed | length
    } else if (length < 0x100 && fixedBelow !== 16) {
      memory[this.#end++] = first
      memory[this.#end++] = length
    } else if (length < 0x10000) {
      memory[this.#end] = first + 1
      this.#end = memory.writeUInt16BE(length, this.#end + 1)
    } else {
      memory[this.#end] = first + 2
      this.#end = memory.writeUInt32BE(length, this.#end + 1)
    }
  }

  #unsigned(value: number): void {
    this.#reserve(5)
    const memory = this.#memory
    if (value < 0x80) {
      memory[this.#end++] = value
    } else if (value < 0x100) {
      memory[this.#end++] = 0xcc
      memory[this.#end++] = value
    } else if (value < 0x10000) {
      memory[this.#end] = 0xcd
      this.#end = memory.writeUInt16BE(value, this.#end + 1)
    } else {
      memory[this.#end] = 0xce
      this.#end = memory.writeUInt32BE(value, this.#end + 1)
    }
  }

  #negative(value: number): void {
    this.#reserve(5)
    const memory = this.#memory
    if (value >= -0x20) {
      memory[this.#end++] = value
    } else if (value >= -0x80) {
      memory[this.#end++] = 0xd0
      memory[this.#end++] = value
    } else if (value >= -0x8000) {
      memory[this.#end] = 0xd1
      this.#end = memory.writeInt16BE(value, this.#end + 1)
    } else {
      memory[this.#end] = 0xd2
      this.#end = memory.writeInt32BE(value, this.#end + 1)
    }
  }

  /** Whether it was ASCII, and has been written. */
  #ascii(value: string): boolean {
    const { length } = value
    this.#reserve(1 + length)
    const memory = this.#memory
    const start = this.#end
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i)
      if (unit >= 0x80) return false
      memory[start + 1 + i] = unit
    }
    memory[start] = 0xa0 | length
    this.#end = start + 1 + length
    return true
  }

  /** Whether it had as many bytes as characters, as is usual, and has been written. */
  #asLongAs(value: string): boolean {
    const { length } = value
    const before = this.#end
    this.#header(length, 0xa0, 32, 0xd9)
    this.#reserve(3 * length)
    const written = this.#memory.write(value, this.#end)
    this.#end = written === length ? this.#end + written : before
    return written === length
  }

  #byte(value: number): void {
    this.#reserve(1)
    this.#memory[this.#end++] = value
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes
    if (needed <= this.#memory.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#memory.length * 2))
    this.#memory.copy(larger, 0, 0, this.#end)
    this.#memory = larger
  }
}
