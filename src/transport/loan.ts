/**
 * Loan: a Descriptor's number, for the frames that wait to be sent with it and only borrow it. None of them needs a
 * duplicate: a Descriptor that is closed meanwhile leaves them its number, and the last of them closes that. One that is
 * given away leaves them a single duplicate.
 *
 * A queue refers to the Loan, and the Loan to its Descriptor: the collector cannot find that while frames wait.
 */
import { gatherToClose } from './closing.js'
import type { Descriptor } from './descriptor.js'
import { binding } from './native.js'
import { Errno } from './system-calls.js'
import { succeeded } from './system-failure.js'
import { sendGathered } from './turn.js'

let left = 0

/** How many numbers of this thread are open for nothing but the frames that wait with them. */
export function numbersLeft(): number {
  return left
}

export class Loan {
  readonly #lender: Descriptor
  #waiting = 0
  /** The frames' own number, which the last of them closes; -1 while they have none. */
  #left = -1

  constructor(lender: Descriptor) {
    this.#lender = lender
  }

  /** What is sent. */
  get number(): number {
    return this.#left >= 0 ? this.#left : this.#lender.fd
  }

  /** A frame more waits. */
  begin(): void {
    this.#waiting++
  }

  /** One has gone or was dropped. `closeGathered` has to follow. */
  end(): void {
    if (--this.#waiting > 0 || this.#left < 0) return
    gatherToClose(this.#left)
    this.#leave(-1)
  }

  /** The Descriptor is closed: true, its number is the frames' from now on; false, it has to be closed. */
  keep(fd: number): boolean {
    if (this.#waiting === 0 || this.#left >= 0) return false
    this.#leave(fd)
    return true
  }

  /**
   * The number is to be somebody else's: the frames get a duplicate. Throws SystemError when there is none to be had; then
   * nothing has changed.
   */
  recall(): void {
    if (this.#waiting === 0 || this.#left >= 0) return
    const { fd } = this.#lender
    let duplicate = binding.dup(fd)
    if (duplicate === Errno.EMFILE) {
      sendGathered() // what does not have to wait needs none
      if (this.#waiting === 0) return
      duplicate = binding.dup(fd)
    }
    this.#leave(succeeded(duplicate, 'fcntl', `fd ${fd}`))
  }

  #leave(fd: number): void {
    left += (fd >= 0 ? 1 : 0) - (this.#left >= 0 ? 1 : 0)
    this.#left = fd
  }
}

export const noLoans: readonly Loan[] = []

export function beginLoans(loans: readonly Loan[]): void {
  for (const loan of loans) loan.begin()
}

/** `closeGathered` has to follow. */
export function endLoans(loans: readonly Loan[]): void {
  for (const loan of loans) loan.end()
}
