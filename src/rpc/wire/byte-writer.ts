/**
 * ByteWriter: the parts that messages are made of, into memory that grows and is used again.
 */
const firstBytes = 4096
/** Larger memory than this is given back after the message that needed it. */
const keptBytes = 256 * 1024
/** Views up to this length are made once: a view takes longer to make than most messages to write. */
const keptViews = 512
/** Up to this length, a call into the engine takes longer than characters and bytes one by one. */
const shortBytes = 24

export class ByteWriter {
  #memory = Buffer.allocUnsafeSlow(firstBytes)
  #end = 0
  /** Of the memory's beginning, by their lengths. */
  #views: Uint8Array[] = []

  start(): void {
    if (this.#memory.length > keptBytes) this.#replace(Buffer.allocUnsafeSlow(firstBytes))
    this.#end = 0
  }

  /** What was written since `start`; valid until the next one. No Buffer: the `slice` of one is no copy. */
  get bytes(): Uint8Array {
    const known = this.#views[this.#end]
    if (known !== undefined) return known
    const view = new Uint8Array(this.#memory.buffer, 0, this.#end)
    if (this.#end <= keptViews) this.#views[this.#end] = view
    return view
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
    if (value.length <= shortBytes && this.#ascii(value)) return
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
    const { length } = value
    this.#reserve(length)
    if (length <= shortBytes) for (let i = 0; i < length; i++) this.#memory[this.#end + i] = value[i] as number
    else this.#memory.set(value, this.#end)
    this.#end += length
  }

  /** Whether it was ASCII, and has been written. */
  #ascii(value: string): boolean {
    const { length } = value
    this.#reserve(1 + length)
    const memory = this.#memory
    const start = this.#end + 1
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i)
      if (unit >= 0x80) return false
      memory[start + i] = unit
    }
    memory[this.#end] = length
    this.#end = start + length
    return true
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes
    if (needed <= this.#memory.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#memory.length * 2))
    this.#memory.copy(larger, 0, 0, this.#end)
    this.#replace(larger)
  }

  #replace(memory: Buffer<ArrayBuffer>): void {
    this.#memory = memory
    this.#views = []
  }
}
