/**
 * FrameDecoder: bytes and tagged sets in, frames with their descriptors out, for one direction of one connection.
 *
 * Owns every descriptor pushed into it, until it comes out with a frame, in `discarded` or by `release`; it never closes
 * one. Finds frames by the codec and leaves to the pairing whose a set is. Knows no socket, clock or promise.
 */
import { checkOptions } from '../arguments.js'
import { DescriptorMismatchError, PillionError, ProtocolError } from '../errors.js'
import type { PairedFrame } from './bearing-frame.js'
import { type Codec, type CodecConnection, checkCodec, type FrameReader } from './codec.js'
import type { DescriptorSet } from './descriptor-set.js'
import { FrameTable } from './frame-table.js'
import { GrowingFrame } from './growing-frame.js'
import { type Allocate, allocateFresh, LargeFrame } from './large-frame.js'
import type { FrameLimits } from './limits.js'
import { AnnouncedPairing } from './pairing/announced-pairing.js'
import { BoundaryPairing } from './pairing/boundary-pairing.js'
import type { Pairing } from './pairing/pairing.js'
import { QueuePairing } from './pairing/queue-pairing.js'
import { tooLarge, tooMany } from './refusals.js'

export interface FrameDecoderOptions {
  /**
   * An incomplete frame longer than this is given memory of its own, and is not presented again. Bounds what of a chunk
   * stays unconsumed. Default 32 KiB.
   */
  readonly largeFrom?: number
  /** Of the codec, shared with the encoder; without it the decoder has one of its own. */
  readonly connection?: CodecConnection
}

/** Bytes over which a frame is worth memory of its own. */
export const defaultLargeFrom = 32 * 1024
const nothing = new Uint8Array(0)
const pairings = { announced: AnnouncedPairing, boundary: BoundaryPairing, queue: QueuePairing } as const

export class FrameDecoder {
  /** Descriptors that nobody may have, to be closed and taken out by the caller after each push. */
  readonly discarded: number[] = []

  readonly #reader: FrameReader
  readonly #maxPayload: number
  readonly #maxDescriptors: number
  readonly #pairing: Pairing
  readonly #largeFrom: number
  readonly #cutsAtReceives: boolean
  /** Where recvmsg calls have ended that no frame has come up to yet. */
  #cuts: number[] | undefined

  // The chunk at hand: the frame at #at is the next one. Byte i is at stream position #origin + i.
  #bytes: Uint8Array = nothing
  #start = 0
  #at = 0
  #end = 0
  #origin = 0
  #scanned = true

  // The frame at #at, or the large one: not measured while #length is 0, and not to be looked at below #need bytes.
  #length = 0
  #need = 1
  #latestLength = 0
  #bearer: PairedFrame | undefined
  #large: LargeFrame | undefined
  #allocate = allocateFresh
  /** Instead of #at: a frame that cannot be measured yet, and has become long. */
  #growing: GrowingFrame | undefined

  /** Complete frames that go out before those of the chunk. */
  #ready: FrameTable[] | undefined
  /** Complete frames that may not go out yet: the first one is undecided. */
  #waiting: FrameTable[] | undefined
  /** Descriptors of frames that are not delivered since the stream is in error. */
  #orphans: number[] | undefined
  #error: PillionError | undefined
  #released = false

  constructor(codec: Codec, limits: FrameLimits, options: FrameDecoderOptions = {}) {
    checkCodec(codec)
    checkOptions(options)
    this.#reader = (options.connection ?? codec.connection(limits)).reader
    this.#maxPayload = limits.maxPayload
    this.#maxDescriptors = limits.maxDescriptors
    this.#largeFrom = options.largeFrom ?? defaultLargeFrom
    this.#cutsAtReceives = codec.cutsAtReceives === true
    this.#pairing = new pairings[codec.pairing](limits.maxDescriptors, this.discarded)
  }

  /** The memory of large frames that are begun from now on comes from there. By default each has its own for good. */
  allocateBy(allocate: Allocate): void {
    this.#allocate = allocate
  }

  /**
   * What has been received, with what was not consumed the last time in front of it; then call `next` until it returns
   * false, and only then let go of `bytes`.
   * @param lent how many bytes were written into `wanted`; they precede those in `bytes`
   * @param position stream position of `bytes[start]`
   * @param sets in order, the bytes before their ends being part of this push or an earlier one; owned from now on
   */
  push(
    lent: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    position: number,
    sets: readonly DescriptorSet[],
  ): void {
    this.#bytes = bytes
    this.#start = start
    this.#at = start
    this.#end = end
    this.#origin = position - start
    if (this.#error !== undefined || this.#released) {
      for (const set of sets) this.discarded.push(...set.fds)
      this.#at = end
      return
    }
    this.#scanned = false
    if (sets.length > 0) this.#pairing.push(sets)
    if (this.#cutsAtReceives) this.#cuts = [...(this.#cuts ?? []), ...sets.map((set) => set.end)]
    if (this.#large !== undefined) {
      this.#large.advance(lent)
      this.#at += this.#large.fill(bytes, start, end)
    }
  }

  /**
   * Fills `table` with frames that may be delivered; their descriptors are the caller's from now on. False: there are
   * none at present. Payloads in the chunk itself are valid for as long as the caller keeps it.
   */
  next(table: FrameTable): boolean {
    table.reset(this.#bytes, this.#origin, false)
    if (!this.#scanned) {
      this.#scanned = true
      this.#scan(table)
    }
    const ready = this.#ready
    if (ready !== undefined) {
      if (table.length > 0) ready.push(table.split(0))
      table.take(ready.shift()!)
      if (ready.length === 0) this.#ready = undefined
    }
    if (table.bears) table.deliver()
    return table.length > 0
  }

  /** How many of the bytes pushed last are done with. The rest is to be pushed again, in front of what comes next. */
  get consumed(): number {
    return this.#at - this.#start
  }

  /**
   * The memory in which the next bytes of the stream belong, the rest of a large frame: they may be received straight
   * into it, and are copied if they come with a chunk all the same.
   */
  get wanted(): Uint8Array | undefined {
    return this.#large?.rest
  }

  /** Bytes of the frame whose memory is `wanted`, or 0. */
  get assembling(): number {
    return this.#large?.length ?? 0
  }

  /** Bytes of the frame that was measured last, complete or not; 0: none has been. */
  get latestLength(): number {
    return this.#latestLength
  }

  /**
   * Between two pushes: nothing is held but bytes of a frame that is not complete, so that another decoder could go on
   * from `begun` and what was not consumed. False while descriptors have come for it, or may have.
   */
  get resumable(): boolean {
    if (this.#error !== undefined || this.#released) return false
    return !this.#pairing.holds && this.#ready === undefined && this.#waiting === undefined
  }

  /** The beginning of an incomplete frame, as far as it was consumed. */
  get begun(): Uint8Array {
    return this.#large?.begun ?? this.#growing?.memory.slice(0, this.#growing.length) ?? nothing
  }

  /** Why no frame comes any more. The frames ahead of the fault have been delivered; the rest is in `release`. */
  get error(): PillionError | undefined {
    return this.#error
  }

  /** The stream has ended. Returns the error if it ended anywhere but between two frames. */
  finish(): PillionError | undefined {
    if (this.#error !== undefined || this.#released) return this.#error
    const left = this.#growing?.length ?? this.#end - this.#at
    if (this.#large !== undefined) {
      const { received, length, position } = this.#large
      this.#fail(new ProtocolError(`the stream ended in a frame, after ${received} of ${length} bytes`, position))
    } else if (left > 0) {
      const of = this.#length > 0 ? `of ${this.#length} bytes` : 'bytes, its length not known yet'
      this.#fail(new ProtocolError(`the stream ended in a frame, after ${left} ${of}`, this.#frameStart))
    }
    return this.#error
  }

  /** Hands over every descriptor that is still held, to be closed. Nothing comes of the decoder any more. */
  release(): number[] {
    const fds = [...(this.#orphans ?? []), ...this.discarded, ...this.#pairing.release()]
    for (const table of [...(this.#ready ?? []), ...(this.#waiting ?? [])]) fds.push(...table.cut(0))
    if (this.#bearer !== undefined) fds.push(...this.#bearer.fds)
    this.discarded.length = 0
    this.#orphans = undefined
    this.#ready = undefined
    this.#waiting = undefined
    this.#bearer = undefined
    this.#large = undefined
    this.#growing = undefined
    this.#bytes = nothing
    this.#scanned = true
    this.#released = true
    return fds
  }

  /** All that can be known from the chunk: frames into `table` and #ready, or into #waiting, or the error. */
  #scan(table: FrameTable): void {
    let fault: PillionError | undefined
    let known: number
    try {
      known = this.#advance(table)
    } catch (error) {
      fault = this.#asFault(error)
      known = this.#frameStart
    }
    try {
      this.#pairing.settle(known)
    } catch (error) {
      const mismatch = this.#asFault(error)
      // What broke the measuring comes first, unless the mismatch lies ahead of it.
      const isAhead = mismatch instanceof DescriptorMismatchError && mismatch.position < known
      if (fault === undefined || isAhead) fault = mismatch
    }
    if (fault !== undefined) this.#fail(fault, table)
    else this.#withhold(table)
  }

  /** Returns the position up to which it is known which frame a byte belongs to, and what that frame announces. */
  #advance(table: FrameTable): number {
    const large = this.#large
    if (large !== undefined) {
      if (!large.complete) return large.end
      this.#finishLarge(large)
    }
    const growing = this.#growing
    if (growing !== undefined) {
      this.#grow(growing)
      if (this.#growing !== undefined) return growing.position
      if (this.#large !== undefined) return this.#large.end
    }
    if (this.#end - this.#at >= this.#need) this.#measureChunk(table)
    const position = this.#origin + this.#at
    if (this.#length === 0) {
      if (this.#end - this.#at > this.#largeFrom) this.#startGrowing(position)
      return position
    }
    if (this.#length > this.#largeFrom) this.#startLarge(position)
    return position + (this.#large?.length ?? this.#length)
  }

  #measureChunk(table: FrameTable): void {
    if (this.#cuts !== undefined) {
      for (const cut of this.#cuts) this.#measureAll(table, Math.min(this.#end, cut - this.#origin))
      this.#cuts = undefined
    }
    this.#measureAll(table, this.#end)
  }

  /** The hot path: no allocation for a frame without descriptors, nothing called but the reader and the table. */
  #measureAll(table: FrameTable, end: number): void {
    const reader = this.#reader
    const bytes = this.#bytes
    const origin = this.#origin
    let at = this.#at
    let length = this.#length
    let latest = this.#latestLength
    let bearer = this.#bearer
    let attention = this.#pairing.attention - origin
    this.#need = 1
    try {
      while (at < end) {
        if (length === 0) {
          length = reader.measure(bytes, at, end, origin)
          if (length === 0) {
            this.#need = reader.need
            break
          }
          if (reader.payloadLength > this.#maxPayload || reader.descriptors > 0) bearer = this.#begin(origin + at)
          latest = length
        }
        if (length > end - at) {
          this.#need = length
          break
        }
        if (bearer !== undefined || at + length >= attention) {
          bearer = this.#pairing.complete(bearer, origin + at, origin + at + length)
          attention = this.#pairing.attention - origin
        }
        const start = at + reader.payloadOffset
        table.add(start, start + reader.payloadLength, reader.flags ?? 0, bearer)
        at += length
        length = 0
        bearer = undefined
      }
    } finally {
      this.#at = at
      this.#length = length
      this.#latestLength = latest
      this.#bearer = bearer
    }
  }

  /** The frame at `position` has been measured: it is within the limits, or this throws. Returns what it bears. */
  #begin(position: number): PairedFrame | undefined {
    const { payloadLength, limitedLength = payloadLength, descriptors } = this.#reader
    if (limitedLength > this.#maxPayload) throw tooLarge(limitedLength, this.#maxPayload, position)
    if (descriptors > this.#maxDescriptors) throw tooMany(descriptors, this.#maxDescriptors, position)
    return descriptors > 0 ? this.#pairing.begin(position, descriptors) : undefined
  }

  /** The frame at #at moves into memory of its own; all of the chunk is consumed. */
  #startLarge(position: number): void {
    this.#large = new LargeFrame(position, this.#length, this.#reader, this.#bytes, this.#at, this.#allocate)
    this.#at += this.#reader.payloadOffset
    this.#at += this.#large.fill(this.#bytes, this.#at, this.#end)
    this.#length = 0
    this.#need = 1
  }

  #finishLarge(large: LargeFrame): void {
    this.#large = undefined
    this.#finishAlone(large.position, large.end, large.memory, 0, large.payloadLength, large.flags)
  }

  /** A frame that has memory of its own is there: a table of one row. */
  #finishAlone(position: number, end: number, memory: Uint8Array, start: number, length: number, flags: number): void {
    const frame = this.#pairing.complete(this.#bearer, position, end)
    const table = new FrameTable(1)
    table.reset(memory, end - memory.length, true)
    table.add(start, start + length, flags, frame)
    this.#wait(table)
    this.#bearer = undefined
  }

  /** The frame at #at, of unknown length, moves into memory of its own; all of the chunk is consumed. */
  #startGrowing(position: number): void {
    this.#growing = new GrowingFrame(position)
    this.#growing.add(this.#bytes, this.#at, this.#end)
    this.#at = this.#end
  }

  /** Adds the chunk. Once the frame can be measured, what of the chunk lies behind it is given back. */
  #grow(growing: GrowingFrame): void {
    const reader = this.#reader
    const { position } = growing
    growing.add(this.#bytes, this.#at, this.#end)
    if (growing.length < this.#need) {
      this.#at = this.#end
      return
    }
    const length = reader.measure(growing.memory, 0, growing.length, position)
    if (length === 0) {
      this.#need = reader.need
      this.#at = this.#end
      return
    }
    this.#growing = undefined
    this.#need = 1
    this.#bearer = this.#begin(position)
    // Before the chunk it could not be measured: at least its last byte so far lies in the chunk.
    this.#at = this.#end - Math.max(0, growing.length - length)
    const { payloadOffset, payloadLength, flags = 0 } = reader
    if (length <= growing.length) {
      const memory = growing.memory.subarray(0, length)
      this.#finishAlone(position, position + length, memory, payloadOffset, payloadLength, flags)
    } else {
      this.#large = new LargeFrame(position, length, reader, growing.memory, 0, this.#allocate)
      this.#large.fill(growing.memory, payloadOffset, growing.length)
    }
  }

  /** Keeps back an undecided frame and all behind it; the bytes, and the chunk goes. */
  #withhold(table: FrameTable): void {
    const { undecided } = this.#pairing
    const row = undecided === undefined ? table.length : table.rowOf(undecided)
    if (row >= 0 && this.#waiting !== undefined) {
      this.#ready = [...(this.#ready ?? []), ...this.#waiting]
      this.#waiting = undefined
    }
    const from = Math.max(row, 0)
    if (from === table.length) return
    const rest = table.split(from)
    rest.ownBytes()
    this.#wait(rest)
  }

  #wait(table: FrameTable): void {
    this.#waiting ??= []
    this.#waiting.push(table)
  }

  /** Keeps what lies ahead of the fault for delivery, and nothing else. */
  #fail(fault: PillionError, table?: FrameTable): void {
    this.#error = fault
    const mismatch = fault instanceof DescriptorMismatchError ? fault.position : Number.POSITIVE_INFINITY
    const from = Math.min(mismatch, this.#pairing.undecided?.position ?? Number.POSITIVE_INFINITY)
    const orphans: number[] = this.#orphans ?? []
    const ready: FrameTable[] = this.#ready ?? []
    for (const waiting of this.#waiting ?? []) {
      orphans.push(...waiting.cut(from))
      if (waiting.length > 0) ready.push(waiting)
    }
    this.#waiting = undefined
    this.#ready = ready.length > 0 ? ready : undefined
    if (table !== undefined) orphans.push(...table.cut(from))
    if (this.#bearer !== undefined) orphans.push(...this.#bearer.fds)
    this.#orphans = orphans
    this.#bearer = undefined
    this.#large = undefined
    this.#growing = undefined
    this.#at = this.#end
  }

  /** Stream position of the frame that is to be measured. */
  get #frameStart(): number {
    return this.#growing?.position ?? this.#origin + this.#at
  }

  #asFault(error: unknown): PillionError {
    if (error instanceof PillionError) return error
    // A codec must not let the peer's bytes end the process, whatever it trips over.
    return new ProtocolError('the codec failed', this.#frameStart, { cause: error })
  }
}
