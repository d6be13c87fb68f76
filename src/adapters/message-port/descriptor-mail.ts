/**
 * DescriptorMail: descriptors between two threads of a process, by mailboxes (src/transport/mailbox.ts): in one a descriptor
 * is closed once, whichever thread ends first. Knows no message.
 */
import { type Descriptor, Mailbox, offerDescriptor, takeOffered } from '../../transport/index.js'
import { closeAll } from '../link/unwanted.js'

export class DescriptorMail {
  /** What the other thread offers. */
  readonly #mailbox = new Mailbox()
  /** What is offered to the other thread before it has told of its own: apart, or what it has offered would go back. */
  readonly #outgoing = new Mailbox()
  #theirs: number | undefined

  /** Of ours, for the other thread. */
  get address(): number {
    return this.#mailbox.id
  }

  get knowsTheirs(): boolean {
    return this.#theirs !== undefined
  }

  /** The other thread has told its address. */
  sendTo(address: number): void {
    this.#theirs = address
    this.#outgoing.forward(address)
    this.#outgoing.close()
  }

  /**
   * Takes them over, into their mailbox, or one of ours for now; the numbers to `take` them by. Throws ClosedError if that
   * is closed: nobody is there to take them, and all are closed.
   */
  offer(descriptors: readonly Descriptor[]): number[] {
    try {
      return descriptors.map((descriptor) => offerDescriptor(descriptor, this.#theirs ?? this.#outgoing.id))
    } catch (error) {
      closeAll(descriptors)
      throw error
    }
  }

  /** What was offered, the caller's from now on. Throws ClosedError if some are closed; then all are. */
  take(ids: readonly number[]): Descriptor[] {
    const descriptors: Descriptor[] = []
    try {
      for (const id of ids) descriptors.push(takeOffered(id))
    } catch (error) {
      closeAll(descriptors)
      throw error
    }
    return descriptors
  }

  /** What nobody has taken is closed. */
  close(): void {
    this.#mailbox.close()
    this.#outgoing.close()
  }
}
