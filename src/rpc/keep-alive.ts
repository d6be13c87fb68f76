/**
 * KeepAlive: notices a peer that hangs. One timer a session, which does not keep the process alive; a message that
 * arrives costs a look at the clock and nothing else. What a question looks like on the wire it does not know.
 */
import { clearImmediate, clearTimeout, now, setImmediate, setTimeout } from '../event-loop.js'

export interface KeepAliveHooks {
  /** Nothing has been heard for an interval: the peer is asked whether it is there. */
  ask(): void
  /** It has not answered within another. */
  onSilence(): void
}

export class KeepAlive {
  readonly #interval: number
  readonly #hooks: KeepAliveHooks
  #heardAt = now()
  #asked = false
  #timer: NodeJS.Timeout | undefined
  #lastLook: NodeJS.Immediate | undefined

  /** @param interval in milliseconds, over 0 */
  constructor(interval: number, hooks: KeepAliveHooks) {
    this.#interval = interval
    this.#hooks = hooks
    this.#wait(interval)
  }

  /** Something has arrived, whatever it is. */
  heard(): void {
    this.#heardAt = now()
    this.#asked = false
  }

  stop(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#lastLook)
  }

  #wait(milliseconds: number): void {
    this.#timer = setTimeout(() => this.#look(), Math.max(1, milliseconds))
    this.#timer.unref()
  }

  #look(): void {
    const silent = now() - this.#heardAt
    if (silent < this.#interval) {
      this.#wait(this.#interval - silent)
    } else if (this.#asked) {
      // If it was this process that hung, the answer lies in the socket, and is read before an immediate runs.
      this.#lastLook = setImmediate(() => this.#giveUp())
    } else {
      this.#asked = true
      this.#hooks.ask()
      this.#wait(this.#interval)
    }
  }

  #giveUp(): void {
    if (this.#asked) this.#hooks.onSilence()
    else this.#wait(this.#interval)
  }
}
