/**
 * MessageQueue: the messages that a socket has still to send, where the kernel keeps boundaries: each is one sendmsg, goes
 * whole or not at all, and may be dropped alone. Owns the descriptors of those that wait, unless they are borrowed.
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
  theLayout,
} from './outgoing-queue.js'
import { releaseFromSlab } from './send-slab.js'

/** A run of a message's bytes; it may be empty. */
export interface MessagePiece {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

export interface OutgoingMessage {
  /** At least one, at most `mostPiecesOfMessage`. */
  readonly pieces: readonly MessagePiece[]
  /** At most 253. */
  readonly fds: readonly number[]
  /** True: the queue closes `fds`, once sent or dropped. False: `own` or `lend` follows while they still wait. */
  readonly owned: boolean
  /** Its own number: each message can be dropped alone. */
  readonly group: number
}

/** A message of more would not fit into one system call with others. */
export const mostPiecesOfMessage = 64

type Message = { -readonly [K in keyof OutgoingMessage]: OutgoingMessage[K] } & {
  /** One for each of `fds`, or none. */
  lent: readonly Loan[]
}

export class MessageQueue implements OutgoingQueue {
  #messages: Message[] = []
  #head = 0
  #queued = 0
  #settled = 0
  #descriptors = 0

  get queued(): number {
    return this.#queued
  }

  get settled(): number {
    return this.#settled
  }

  get empty(): boolean {
    return this.#head === this.#messages.length
  }

  get descriptors(): number {
    return this.#descriptors
  }

  /** None: an empty message is one too. */
  get run(): undefined {
    return undefined
  }

  /** A message either goes or does not. */
  get headIsFresh(): boolean {
    return !this.empty
  }

  push(message: OutgoingMessage): void {
    this.#queued += weight(message)
    this.#descriptors += message.fds.length
    this.#messages.push({ ...message, lent: noLoans })
  }

  own(group: number): number {
    const message = this.#messages.at(-1)
    if (this.empty || message === undefined || message.group !== group || message.owned) return 0
    return ownDescriptors(message)
  }

  lend(group: number, loans: readonly Loan[]): void {
    const message = this.#messages.at(-1)
    if (this.empty || message === undefined || message.group !== group) return
    message.lent = loans
    beginLoans(loans)
  }

  layOut(): Layout {
    const { plan } = binding
    const layout = theLayout
    const { chunks } = layout
    forgetChunks(layout)
    layout.messages = 0
    let memory: Uint8Array | undefined // the last of the chunks
    let at = 0
    let pieces = 0
    let control = 0
    let bytes = 0
    for (let i = this.#head; i < this.#messages.length && layout.messages < mostMessages && bytes < mostBytes; i++) {
      const message = this.#messages[i] as Message
      pieces += message.pieces.length
      control += controlSpace(message.fds.length)
      if (pieces > mostPieces || control > mostControlBytes) break
      plan[at++] = message.pieces.length
      plan[at++] = message.fds.length
      plan[at++] = message.owned ? 1 : 0
      for (const { bytes: chunk, start, end } of message.pieces) {
        if (memory !== chunk) {
          memory = chunk
          chunks.push(chunk)
        }
        plan[at++] = chunks.length - 1
        plan[at++] = start
        plan[at++] = end - start
      }
      at = layOutDescriptors(message, at)
      bytes += weight(message)
      layout.messages++
    }
    return layout
  }

  advance(_bytes: number, messages: number): void {
    for (let i = 0; i < messages; i++) this.#settle(this.#messages[this.#head++] as Message)
    this.#compact()
  }

  dropHead(): number {
    const message = this.#messages[this.#head++] as Message
    if (message.owned) closeDescriptors(message.fds)
    this.#settle(message)
    this.#compact()
    return message.group
  }

  takeBack(group: number): boolean {
    const message = this.#messages.at(-1)
    if (this.empty || message === undefined || message.group !== group) return false
    this.#messages.pop()
    this.#queued -= weight(message)
    if (message.owned) closeDescriptors(message.fds)
    this.#release(message)
    this.#compact()
    return true
  }

  clear(): void {
    while (!this.empty) this.dropHead()
  }

  #settle(message: Message): void {
    this.#settled += weight(message)
    this.#release(message)
  }

  #release(message: Message): void {
    this.#descriptors -= message.fds.length
    endLoans(message.lent)
    closeGathered()
    for (const { bytes, start, end } of message.pieces) releaseFromSlab(bytes, end - start)
  }

  #compact(): void {
    if (this.empty) {
      this.#messages.length = 0
      this.#head = 0
    } else if (this.#head > 1024 && this.#head * 2 > this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head)
      this.#head = 0
    }
  }
}

/** One more than its bytes: an empty message has to be waited for, too. */
function weight(message: OutgoingMessage): number {
  let bytes = 1
  for (const { start, end } of message.pieces) bytes += end - start
  return bytes
}
