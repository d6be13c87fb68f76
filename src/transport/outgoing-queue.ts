/**
 * OutgoingQueue: what a socket needs of the queue that it sends from, be it of bytes (SendQueue) or of messages
 * (MessageQueue).
 */
import { closeDescriptors } from './descriptor.js'
import type { Loan } from './loan.js'
import { binding } from './native.js'

/** A layout for one system call: `messages` rows in the plan, whose pieces lie in `chunks`. */
export interface Layout {
  messages: number
  readonly chunks: Uint8Array[]
}

/** Bytes that lie in one piece and bear nothing. */
export interface Run {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

export interface OutgoingQueue {
  /** Ever queued: bytes, and one more for each message. */
  readonly queued: number
  /** Ever sent or dropped. */
  readonly settled: number
  readonly empty: boolean
  /** That wait. */
  readonly descriptors: number
  /** Whether the group at the head can still be dropped alone. */
  readonly headIsFresh: boolean
  /** All that waits, if it is one run, short enough for one system call: it need not be laid out. */
  readonly run: Run | undefined
  /** Lays as much as one system call takes out in the plan. */
  layOut(): Layout
  /** So much of the layout went. The native side has closed the sets that were owned. */
  advance(bytes: number, messages: number): void
  /**
   * Replaces the borrowed numbers of the last group, as far as they still wait, by duplicates: their owner may close
   * them, and the number would come to mean another file. 0, or the negative errno of a duplicate that failed.
   */
  own(group: number): number
  /**
   * The borrowed descriptors of the last group, as far as they still wait, are lent for as long as they do.
   * @param loans of all its descriptors, in their order
   */
  lend(group: number, loans: readonly Loan[]): void
  /** Drops the group at the head and closes the descriptors it owns; its number. */
  dropHead(): number
  /**
   * Takes back the group that was queued last, as if it had never been: nobody waits for it yet. False when a part of
   * it has gone; then nothing is done.
   */
  takeBack(group: number): boolean
  clear(): void
}

/** The thread's: a layout is handed to the kernel before there is another one. */
export const theLayout: Layout = { messages: 0, chunks: [] }

/** By `pop`, which is a few instructions; to set the length of an array is a call of the runtime. */
export function forgetChunks({ chunks }: Layout): void {
  while (chunks.length > 0) chunks.pop()
}

/** What waits with descriptors. */
interface Bearer {
  fds: readonly number[]
  owned: boolean
  /** Those of `fds`, which may have come to be other numbers since; or none. */
  readonly lent: readonly Loan[]
}

/** Writes the descriptors' numbers into the plan; the offset behind them. */
export function layOutDescriptors({ fds, lent }: Readonly<Bearer>, at: number): number {
  const { plan } = binding
  let to = at
  if (lent.length === 0) for (const fd of fds) plan[to++] = fd
  else for (const loan of lent) plan[to++] = loan.number
  return to
}

/** Replaces borrowed numbers by duplicates of their own. 0, or the negative errno of one that failed. */
export function ownDescriptors(bearer: Bearer): number {
  const duplicates: number[] = []
  for (const fd of bearer.fds) {
    const duplicate = binding.dup(fd)
    if (duplicate < 0) {
      closeDescriptors(duplicates)
      return duplicate
    }
    duplicates.push(duplicate)
  }
  bearer.fds = duplicates
  bearer.owned = true
  return 0
}

// What native/socket_sending.cc takes in one call; the plan has room for all of them together.
export const mostMessages = 64
export const mostPieces = 256
export const mostControlBytes = 4096
/**
 * A reader as fast as the kernel's copying would let one call take any number of bytes. A frame of 1 MiB goes whole, with
 * its header and what is gathered before it: what is left of it would be a call of its own.
 */
export const mostBytes = 1024 * 1024 + 64 * 1024

/** CMSG_SPACE of a set. */
export function controlSpace(count: number): number {
  return count === 0 ? 0 : 16 + ((count * 4 + 7) & ~7)
}
