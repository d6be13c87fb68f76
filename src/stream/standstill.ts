/**
 * Standstill: how far the receiving has come on its way to rest, once `stopReceiving` was called, and who waits for it.
 *
 * It is asked for; then quiet, when nothing more is read off the socket; then reached, when all that was read has been
 * consumed. Knows neither the socket nor the frames.
 */
import { ClosedError } from '../errors.js'
import { setImmediate } from '../event-loop.js'
import { raceSignal } from './race-signal.js'

export class Standstill {
  #state: 'no' | 'asked' | 'quiet' | 'settling' | 'reached' | 'failed' = 'no'
  #failure: Error | undefined
  #waiting: Promise<void> | undefined
  #settle: { resolve(): void; reject(error: Error): void } | undefined

  get asked(): boolean {
    return this.#state !== 'no'
  }

  /** Nothing is read off the socket any more. */
  get quiet(): boolean {
    return this.#state !== 'no' && this.#state !== 'asked'
  }

  get reached(): boolean {
    return this.#state === 'reached'
  }

  /** Asks for it, or waits with those who have. */
  ask(signal: AbortSignal | undefined): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#waiting === undefined) {
      this.#state = 'asked'
      this.#waiting = new Promise((resolve, reject) => {
        this.#settle = { resolve, reject }
      })
      this.#waiting.catch(() => {}) // whoever awaits it is told all the same
    }
    return signal === undefined ? this.#waiting : raceSignal(this.#waiting, signal)
  }

  becomeQuiet(): void {
    if (this.#state === 'asked') this.#state = 'quiet'
  }

  /** All has been consumed. Told in a turn of its own: no wake-up is being presented then, and no loop's last round run. */
  settle(): void {
    if (this.#state !== 'asked' && this.#state !== 'quiet') return
    this.#state = 'settling'
    setImmediate(() => {
      if (this.#state !== 'settling') return
      this.#state = 'reached'
      this.#settle?.resolve()
    })
  }

  /** It will not come to that. */
  fail(error: Error | undefined): void {
    if (this.#state === 'settling' || this.#state === 'reached' || this.#state === 'failed') return
    this.#state = 'failed'
    this.#failure = error ?? new ClosedError('the stream was destroyed')
    this.#settle?.reject(this.#failure)
  }
}
