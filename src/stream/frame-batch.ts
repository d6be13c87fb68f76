/**
 * FrameBatch: the frames of one wake-up, in place, for as long as a callback runs.
 *
 * One object a stream, pointed at one run of rows after the other. It owns the rows' descriptors until the callback
 * takes them; those that nobody took are closed behind it.
 */

import type { FrameTable } from '../framing/index.js'
import { adoptForNow, closeOwners, guardFromNow } from '../transport/descriptor.js'
import { closeDescriptors, type Descriptor } from '../transport/index.js'
import { type Frame, ReceivedFrame } from './frame.js'

export interface BatchOptions {
  /**
   * True: most payloads are to outlive the callback. Frames of over 32 KiB then have memory of their own, also those that
   * the slab has room for where they follow another one, so that they `stay` and need not be copied. Default false: frames
   * lie in memory that is warm and is written again after the callback, which is up to several times as fast.
   */
  readonly keeps?: boolean
}

export interface FrameBatch {
  /** Frames in it, at least one. 0 once the callback has returned. */
  readonly length: number
  /** The memory in which all its payloads lie. It is written again after the callback, unless it `stays`. */
  readonly bytes: Uint8Array
  /**
   * True for a frame that has memory of its own, to which nobody writes any more: with `keeps`, one of over 32 KiB; always,
   * one that came as a memfd or had to wait for `resume`.
   */
  readonly stays: boolean
  /** Payload i is bytes[start(i), end(i)). */
  start(i: number): number
  end(i: number): number
  /** In the sender's order. Those that nobody took are closed after the callback. */
  descriptors(i: number): readonly Descriptor[]
  /** As `Frame.lost`. */
  lost(i: number): number
  /** A copy that outlives the batch; the descriptors are its own from now on. */
  frame(i: number): Frame
}

const noDescriptors: readonly Descriptor[] = Object.freeze([])
const noBytes = new Uint8Array(0)

export class ReceivedBatch implements FrameBatch {
  length = 0
  bytes: Uint8Array = noBytes
  stays = false
  #table: FrameTable | undefined
  #first = 0
  #single: ReceivedFrame | undefined
  /** Of the rows whose descriptors were asked for. */
  readonly #descriptors = new Map<number, readonly Descriptor[]>()

  /** Points it at the table's rows [first, end). */
  openRows(table: FrameTable, first: number, end: number, stays: boolean): void {
    this.#table = table
    this.#first = first
    this.stays = stays
    this.length = end - first
    this.bytes = table.bytes
  }

  /** Points it at one frame, which is the batch's from now on. */
  openFrame(frame: ReceivedFrame): void {
    this.#single = frame
    this.length = 1
    this.stays = true
    this.bytes = frame.payload
  }

  start(i: number): number {
    this.#check(i)
    return this.#table === undefined ? 0 : this.#table.start(this.#first + i)
  }

  end(i: number): number {
    this.#check(i)
    return this.#table === undefined ? this.bytes.length : this.#table.end(this.#first + i)
  }

  descriptors(i: number): readonly Descriptor[] {
    this.#check(i)
    const known = this.#descriptors.get(i)
    if (known !== undefined) return known
    const fds = this.#table?.bearing(this.#first + i)?.fds
    const descriptors = this.#single?.descriptors ?? (fds === undefined ? noDescriptors : fds.map(adoptForNow))
    if (descriptors.length > 0) this.#descriptors.set(i, descriptors)
    return descriptors
  }

  lost(i: number): number {
    this.#check(i)
    return this.#single?.lost ?? this.#table?.bearing(this.#first + i)?.lost ?? 0
  }

  frame(i: number): Frame {
    const payload = this.bytes.slice(this.start(i), this.end(i))
    const descriptors = this.descriptors(i)
    if (descriptors.length > 0) this.#descriptors.set(i, noDescriptors) // they are the frame's now
    for (const descriptor of descriptors) guardFromNow(descriptor)
    return ReceivedFrame.of(payload, descriptors, this.lost(i))
  }

  /** Ends its validity and closes what nobody took. */
  close(): void {
    const asked = this.#descriptors.size > 0 // emptying even an empty Map makes a new table
    if (asked) closeOwners(this.#descriptors.values())
    if (this.#single !== undefined && !this.#descriptors.has(0)) this.#single[Symbol.dispose]()
    if (this.#table?.bears === true) this.#closeUnasked(this.#table)
    if (asked) this.#descriptors.clear()
    this.#table = undefined
    this.#single = undefined
    this.length = 0
    this.bytes = noBytes
  }

  #closeUnasked(table: FrameTable): void {
    const unasked: number[] = []
    for (let i = 0; i < this.length; i++) {
      const bearing = table.bearing(this.#first + i)
      if (bearing !== undefined && !this.#descriptors.has(i)) unasked.push(...bearing.fds)
    }
    closeDescriptors(unasked)
  }

  #check(i: number): void {
    if (Number.isInteger(i) && i >= 0 && i < this.length) return
    throw new RangeError(
      this.length === 0
        ? 'a batch is valid only during its callback: copy what is to be kept'
        : `frame ${i} of a batch of ${this.length}`,
    )
  }
}
