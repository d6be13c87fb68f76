/**
 * FrameTable: frames that have been received, in columns, so that a frame costs no object.
 *
 * All payloads of a table lie in one memory. It owns the descriptors of its frames until it is given to the decoder's
 * caller, whose they are from then on. Knows nothing of formats.
 */
import type { BearingFrame, PairedFrame } from './bearing-frame.js'

const leastRows = 64
const nothing = new Uint8Array(0)

export class FrameTable {
  #length = 0
  #bytes: Uint8Array = nothing
  #origin = 0
  #ownsBytes = false
  #starts: Int32Array<ArrayBuffer>
  #ends: Int32Array<ArrayBuffer>
  /** The flags in the low byte; above it 1 + index of the frame in #bearing, or 0. */
  #marks: Int32Array<ArrayBuffer>
  #bearing: PairedFrame[] = []
  #flagged = false

  /** @param rows that it has room for at first: a table of one lives in the heap, where columns of its own cost least */
  constructor(rows = leastRows) {
    this.#starts = new Int32Array(rows)
    this.#ends = new Int32Array(rows)
    this.#marks = new Int32Array(rows)
  }

  /** Number of frames. */
  get length(): number {
    return this.#length
  }

  /** The memory in which all payloads lie. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** True: `bytes` was made for these frames and is never written again. False: it is the chunk that was pushed. */
  get ownsBytes(): boolean {
    return this.#ownsBytes
  }

  /** Payload `i` is `bytes[start(i), end(i))`. */
  start(i: number): number {
    return this.#starts[i]!
  }

  end(i: number): number {
    return this.#ends[i]!
  }

  flags(i: number): number {
    return this.#marks[i]! & 0xff
  }

  /** Stream position of the first byte of payload `i`. */
  position(i: number): number {
    return this.#origin + this.#starts[i]!
  }

  /** The descriptors of frame `i`; undefined if it has none and has lost none. */
  bearing(i: number): BearingFrame | undefined {
    return this.#paired(i)
  }

  /** Whether any frame has or has lost descriptors. */
  get bears(): boolean {
    return this.#bearing.length > 0
  }

  /** Whether any frame may have flags. */
  get flagged(): boolean {
    return this.#flagged
  }

  /** @internal Empties it for frames in `bytes`, whose byte `i` is at stream position `origin + i`. */
  reset(bytes: Uint8Array, origin: number, ownsBytes: boolean): void {
    this.#length = 0
    this.#bytes = bytes
    this.#origin = origin
    this.#ownsBytes = ownsBytes
    this.#flagged = false
    if (this.#bearing.length > 0) this.#bearing = []
  }

  /** @internal */
  add(start: number, end: number, flags: number, frame: PairedFrame | undefined): void {
    const row = this.#length
    if (row === this.#starts.length) this.#grow()
    this.#starts[row] = start
    this.#ends[row] = end
    if (flags !== 0) this.#flagged = true
    this.#marks[row] = frame === undefined ? flags : flags | (this.#bearing.push(frame) << 8)
    this.#length = row + 1
  }

  /** @internal The row of a frame that bears descriptors; -1 if it is none of these. */
  rowOf(frame: PairedFrame): number {
    const index = this.#bearing.lastIndexOf(frame)
    if (index < 0) return -1
    let row = this.#length - 1
    while (this.#marks[row]! >>> 8 !== index + 1) row--
    return row
  }

  /** @internal Takes the rows from `row` on out, into a table that has its own columns and the same bytes. */
  split(row: number): FrameTable {
    const rest = new FrameTable()
    rest.reset(this.#bytes, this.#origin, this.#ownsBytes)
    for (let i = row; i < this.#length; i++) rest.add(this.#starts[i]!, this.#ends[i]!, this.flags(i), this.#paired(i))
    this.#truncate(row)
    return rest
  }

  /** @internal Copies the bytes of its frames, so that they outlive the chunk. */
  ownBytes(): void {
    if (this.#ownsBytes || this.#length === 0) return
    const first = this.#starts[0]!
    // Not slice: that of a Buffer copies nothing.
    this.#bytes = new Uint8Array(this.#bytes.subarray(first, this.#ends[this.#length - 1]!))
    this.#origin += first
    this.#ownsBytes = true
    for (let i = 0; i < this.#length; i++) {
      this.#starts[i]! -= first
      this.#ends[i]! -= first
    }
  }

  /** @internal Becomes what `other` is; `other` is to be forgotten. */
  take(other: FrameTable): void {
    this.#length = other.#length
    this.#bytes = other.#bytes
    this.#origin = other.#origin
    this.#ownsBytes = other.#ownsBytes
    this.#bearing = other.#bearing
    this.#flagged = other.#flagged
    if (other.#length > this.#starts.length) {
      this.#starts = other.#starts
      this.#ends = other.#ends
      this.#marks = other.#marks
    } else {
      for (let row = 0; row < other.#length; row++) {
        this.#starts[row] = other.#starts[row]!
        this.#ends[row] = other.#ends[row]!
        this.#marks[row] = other.#marks[row]!
      }
    }
  }

  /** @internal Drops the frames that hold the byte at `position` or lie behind it; returns their descriptors. */
  cut(position: number): readonly number[] {
    let row = this.#length
    while (row > 0 && !this.#isBefore(row - 1, position)) row--
    if (row === this.#length) return []
    return this.#truncate(row)
  }

  /** @internal The table goes to the caller. */
  deliver(): void {
    for (const frame of this.#bearing) frame.delivered = true
  }

  #paired(i: number): PairedFrame | undefined {
    const index = this.#marks[i]! >>> 8
    return index === 0 ? undefined : this.#bearing[index - 1]
  }

  #isBefore(row: number, position: number): boolean {
    // A frame may hold bytes besides its payload; of one that bears, it is known where they start.
    const frame = this.#paired(row)
    return (frame === undefined || frame.position < position) && this.#origin + this.#ends[row]! <= position
  }

  #truncate(row: number): readonly number[] {
    let kept = this.#bearing.length
    for (let i = row; i < this.#length; i++) {
      if (this.#marks[i]! >>> 8 === 0) continue
      kept = (this.#marks[i]! >>> 8) - 1
      break
    }
    this.#length = row
    return this.#bearing.splice(kept).flatMap((frame) => frame.fds)
  }

  #grow(): void {
    const rows = Math.max(leastRows, this.#starts.length * 2)
    this.#starts = grown(this.#starts, rows)
    this.#ends = grown(this.#ends, rows)
    this.#marks = grown(this.#marks, rows)
  }
}

function grown(column: Int32Array<ArrayBuffer>, rows: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(rows)
  larger.set(column)
  return larger
}
