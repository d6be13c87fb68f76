/**
 * SendQueue: the pieces that a socket has still to send, and how they are laid out into sendmsg calls.
 *
 * A piece is a run of bytes; descriptors ride on the first of them, and the queue owns those that wait in it. It knows one
 * thing of what they make up: the pieces of a group are sent all, or dropped together before the first byte of them went.
 */
import { closeGathered } from './closing.js'
import { closeDescriptors } from './descriptor.js'
import { beginLoans, endLoans, type Loan, noLoans } from './loan.js'
import { binding } from './native.js'
import {
  controlSpace,
  forgetChunks,
  type Layout,
  layOutDescriptors,
  mostBytes,
  mostControlBytes,
  mostMessages,
  mostPieces,
  type OutgoingQueue,
  ownDescriptors,
  type Run,
  theLayout,
} from './outgoing-queue.js'
import { closeRun, openRun, type RunOwner, releaseFromSlab } from './send-slab.js'

/** A piece with descriptors, or with a say in where a sendmsg begins or ends. */
export interface SpecialPiece {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** At most 253, riding on the first byte; then `startsSend` is true. */
  readonly fds: readonly number[]
  /** True: the queue closes `fds`, once sent or dropped. False: `own` or `lend` follows while they still wait. */
  readonly owned: boolean
  /** Begins a sendmsg of its own. */
  readonly startsSend: boolean
  /** Nothing follows in the same sendmsg. */
  readonly endsSend: boolean
  /** The first piece of its group. */
  readonly begins: boolean
  /** Not `plainGroup`, where there are descriptors. */
  readonly group: number
}

/** What bears no descriptors is never dropped alone, and need not be told apart. */
export const plainGroup = 0

type Piece = { -readonly [K in keyof SpecialPiece]: SpecialPiece[K] } & {
  /** One for each of `fds`, or none. */
  lent: readonly Loan[]
}

const noFds: readonly number[] = []
/** As good as no limit; Infinity would be an object on the heap for each queue. */
const mostInt = 0x7fff_ffff
const noBytes = new Uint8Array(0)

/** An idle connection sends run after run, each alone in its queue: the thread has one object for all of them. */
let spare: Piece | undefined

export class SendQueue implements OutgoingQueue, RunOwner {
  #pieces: Piece[] = []
  #head = 0
  #queued = 0
  #settled = 0
  #descriptors = 0
  #mostBytes = mostInt

  /** Bytes ever queued. */
  get queued(): number {
    this.#closeRun()
    return this.#queued
  }

  /** Bytes ever sent or dropped. */
  get settled(): number {
    return this.#settled
  }

  /** Descriptors that wait in it, each a place in the descriptor table. */
  get descriptors(): number {
    return this.#descriptors
  }

  get empty(): boolean {
    this.#closeRun()
    return this.#head === this.#pieces.length
  }

  get run(): Run | undefined {
    if (this.#pieces.length - this.#head !== 1) return undefined
    const piece = this.#pieces[this.#head] as Piece
    return piece.fds === noFds && piece.end - piece.start <= mostBytes ? piece : undefined
  }

  /** No sendmsg takes more bytes from now on; no piece may have more. */
  limitSends(bytes: number): void {
    this.#mostBytes = Math.min(bytes, mostInt)
  }

  /** Plain bytes; they join the last piece where they are of its group and lie right behind it. */
  pushPlain(bytes: Uint8Array, start: number, end: number, group: number): void {
    this.#closeRun()
    if (start === end) return
    this.#queued += end - start
    const { length } = this.#pieces
    if (length > 0) {
      const last = this.#pieces[length - 1] as Piece
      const joined = last.bytes === bytes && last.end === start && joins(last, group)
      if (joined && end - last.start <= this.#mostBytes) {
        last.end = end
        return
      }
    }
    this.#pieces.push(plainPiece(bytes, start, end, group))
  }

  /** What was written into the slab's open run. */
  pushRun(memory: Uint8Array, start: number, end: number): void {
    this.pushPlain(memory, start, end, plainGroup)
  }

  push(piece: SpecialPiece): void {
    this.#closeRun()
    this.#queued += piece.end - piece.start
    this.#descriptors += piece.fds.length
    const queued = plainPiece(piece.bytes, piece.start, piece.end, piece.group)
    if (piece.fds.length > 0) queued.fds = piece.fds
    queued.owned = piece.owned
    queued.startsSend = piece.startsSend
    queued.endsSend = piece.endsSend
    queued.begins = piece.begins
    this.#pieces.push(queued)
  }

  own(group: number): number {
    this.#closeRun()
    for (let i = this.#pieces.length - 1; i >= this.#head; i--) {
      const piece = this.#pieces[i] as Piece
      if (piece.group !== group) break
      if (piece.owned || piece.fds === noFds) continue
      const error = ownDescriptors(piece)
      if (error < 0) return error
    }
    return 0
  }

  lend(group: number, loans: readonly Loan[]): void {
    this.#closeRun()
    let left = loans.length
    for (let i = this.#pieces.length - 1; i >= this.#head && left > 0; i--) {
      const piece = this.#pieces[i] as Piece
      if (piece.group !== group) break
      const count = piece.fds.length
      left -= count
      piece.lent = count === loans.length ? loans : loans.slice(left, left + count)
      beginLoans(piece.lent)
    }
  }

  layOut(): Layout {
    const { plan } = binding
    const layout = theLayout
    const { chunks } = layout
    forgetChunks(layout)
    layout.messages = 0
    let at = 0
    let pieces = 0
    let control = 0
    let room = mostBytes
    let memory: Uint8Array | undefined // the last of the chunks; of an empty array, looking that up is slow
    let i = this.#head
    while (i < this.#pieces.length && layout.messages < mostMessages && pieces < mostPieces && room > 0) {
      const first = this.#pieces[i] as Piece
      const row = at
      const firstPiece = pieces
      control += controlSpace(first.fds.length)
      if (control > mostControlBytes) break
      at += 3
      let piece = first
      let bytes = 0
      do {
        if (memory !== piece.bytes) {
          memory = piece.bytes
          chunks.push(memory)
        }
        plan[at] = chunks.length - 1
        plan[at + 1] = piece.start
        const length = Math.min(piece.end - piece.start, room)
        plan[at + 2] = length
        room -= length
        at += 3
        bytes += piece.end - piece.start
        pieces++
        i++
        if (piece.endsSend || i === this.#pieces.length || pieces === mostPieces || room === 0) break
        piece = this.#pieces[i] as Piece
      } while (!piece.startsSend && bytes + piece.end - piece.start <= this.#mostBytes)
      plan[row] = pieces - firstPiece
      plan[row + 1] = first.fds.length
      plan[row + 2] = first.owned ? 1 : 0
      at = layOutDescriptors(first, at)
      layout.messages++
    }
    return layout
  }

  /**
   * `count` bytes went. A piece of which one byte went has handed over its whole set (docs/kernel.md fact 12): only
   * bytes remain of it. The native side has closed the sets that were owned.
   */
  advance(count: number): void {
    this.#settled += count
    let left = count
    while (left > 0) {
      const piece = this.#pieces[this.#head] as Piece
      const step = Math.min(left, piece.end - piece.start)
      this.#descriptors -= piece.fds.length
      piece.fds = noFds
      piece.owned = false
      endLoans(piece.lent)
      piece.lent = noLoans
      piece.startsSend = false
      piece.start += step
      left -= step
      releaseFromSlab(piece.bytes, step)
      if (piece.start === piece.end) this.#head++
    }
    closeGathered()
    this.#compact()
  }

  /** Whether the group at the head can still be dropped: none of its bytes went. */
  get headIsFresh(): boolean {
    const head = this.#pieces[this.#head]
    return head?.begins === true && head.fds !== noFds
  }

  /** Drops the group at the head and closes the descriptors it owns; its number. */
  dropHead(): number {
    this.#closeRun()
    const { group } = this.#pieces[this.#head] as Piece
    while (this.#head < this.#pieces.length && (this.#pieces[this.#head] as Piece).group === group) this.#dropPiece()
    this.#compact()
    return group
  }

  takeBack(group: number): boolean {
    this.#closeRun()
    let first = this.#pieces.length
    while (first > this.#head && (this.#pieces[first - 1] as Piece).group === group) first--
    const begin = this.#pieces[first]
    if (begin === undefined || !begin.begins || begin.fds === noFds) return false
    while (this.#pieces.length > first) {
      const piece = this.#pieces[this.#pieces.length - 1] as Piece
      this.#pieces.pop()
      this.#queued -= piece.end - piece.start
      this.#release(piece)
    }
    this.#compact()
    return true
  }

  clear(): void {
    this.#closeRun()
    while (this.#head < this.#pieces.length) this.#dropPiece()
    this.#compact()
  }

  /** Its own: before anything is done that depends on the last piece, or on all of them. */
  #closeRun(): void {
    if (openRun.queue === this) closeRun()
  }

  #dropPiece(): void {
    const piece = this.#pieces[this.#head++] as Piece
    this.#settled += piece.end - piece.start
    this.#release(piece)
  }

  #release(piece: Piece): void {
    this.#descriptors -= piece.fds.length
    endLoans(piece.lent)
    closeGathered()
    if (piece.owned) closeDescriptors(piece.fds)
    releaseFromSlab(piece.bytes, piece.end - piece.start)
  }

  #compact(): void {
    if (this.#head === this.#pieces.length) {
      if (this.#head === 1) reuse(this.#pieces.pop() as Piece)
      else this.#pieces.length = 0 // which lets go of the array's memory, as `pop` does not
      this.#head = 0
    } else if (this.#head > 1024 && this.#head * 2 > this.#pieces.length) {
      this.#pieces = this.#pieces.slice(this.#head)
      this.#head = 0
    }
  }
}

/** Bytes of a group that may be dropped must not take others with them. */
function joins(last: Piece, group: number): boolean {
  return last.fds === noFds && last.group === group && !last.endsSend
}

function reuse(piece: Piece): void {
  piece.bytes = noBytes
  piece.fds = noFds
  piece.lent = noLoans
  spare = piece
}

function plainPiece(bytes: Uint8Array, start: number, end: number, group: number): Piece {
  const piece = spare
  if (piece !== undefined) {
    spare = undefined
    piece.bytes = bytes
    piece.start = start
    piece.end = end
    piece.owned = false
    piece.startsSend = false
    piece.endsSend = false
    piece.begins = false
    piece.group = group
    return piece
  }
  return {
    bytes,
    start,
    end,
    fds: noFds,
    owned: false,
    lent: noLoans,
    startsSend: false,
    endsSend: false,
    begins: false,
    group,
  }
}
