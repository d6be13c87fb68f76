/**
 * Deadline: how long something may still be tried. It begins with the first look at it, behind a first try: what works at
 * once looks at no clock.
 */
import { now } from '../event-loop.js'

export class Deadline {
  readonly #patience: number
  #at: number | undefined

  /** @param patience in milliseconds, from the first look on */
  constructor(patience: number) {
    this.#patience = patience
  }

  /** Milliseconds; none are left at 0 and below. */
  get left(): number {
    this.#at ??= now() + this.#patience
    return this.#at - now()
  }
}
