/**
 * Mailbox: descriptors that go from one thread of the process to another without a duplicate. One that is on its way is in
 * no thread's ledger, but in a mailbox, of which the process has one list: it is taken out of it once, or closed with it.
 *
 * Whoever has the mailbox is whose end closes what is in it: by `close`, or by the end of its thread. Knows no message
 * that would tell the other thread the number of what was put in.
 */
import { ClosedError, UsageError } from '../errors.js'
import { adoptOwned, Descriptor, recallDescriptor } from './descriptor.js'
import { binding } from './native.js'
import { Errno } from './system-calls.js'

export class Mailbox {
  /** For the other threads of this process, to offer into it. */
  readonly id: number
  #closed = false

  constructor() {
    this.id = binding.openMailbox()
  }

  /** Closes it and the descriptors that are in it. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    binding.closeMailbox(this.id)
  }

  /** What is in it goes into another thread's: it is closed, if that is closed already. */
  forward(to: number): void {
    if (!this.#closed) binding.forwardOffered(this.id, to)
  }
}

/**
 * Puts a descriptor into a mailbox of any thread; the number by which it is taken out. The Descriptor ends as if taken.
 * Throws ClosedError for a closed Descriptor and for a mailbox that is closed, SystemError as `Descriptor.take` does; then
 * nothing has changed.
 */
export function offerDescriptor(descriptor: Descriptor, mailbox: number): number {
  if (!(descriptor instanceof Descriptor)) throw new UsageError('a Descriptor can be offered, and nothing else')
  recallDescriptor(descriptor)
  const result = binding.offerDescriptor(descriptor.fd, mailbox)
  if (result === Errno.EPIPE) throw new ClosedError('the other thread has closed its end, or has ended')
  if (result < 0) throw new ClosedError('the descriptor is closed')
  descriptor.take() // it is in the ledger no more
  return result
}

/** Takes one out, for this thread. Throws ClosedError when it was taken, or closed with its mailbox. */
export function takeOffered(id: number): Descriptor {
  const fd = binding.takeOffered(id)
  if (fd < 0) throw new ClosedError('the descriptor was taken already, or closed with the thread that had it')
  return adoptOwned(fd)
}
