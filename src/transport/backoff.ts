/** Backoff: a timer that asks again, later each time, and knows how long it has been asking. */
import { clearTimeout, now, setTimeout } from '../event-loop.js'

const firstDelay = 1
const longestDelay = 100

export class Backoff {
  #timer: NodeJS.Timeout | undefined
  #since: number | undefined
  #delay = firstDelay

  /** A retry is due. */
  get pending(): boolean {
    return this.#timer !== undefined
  }

  /** Milliseconds since the first of these tries. */
  get waited(): number {
    return this.#since === undefined ? 0 : now() - this.#since
  }

  /**
   * Calls `retry` after a while; milliseconds until then.
   * @param ref whether that keeps the process alive
   */
  again(retry: () => void, ref = true): number {
    this.#since ??= now()
    const delay = this.#delay
    this.#delay = Math.min(delay * 2, longestDelay)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      retry()
    }, delay)
    if (!ref) this.#timer.unref()
    return delay
  }

  /** Whether a retry that is due keeps the process alive. */
  setRef(ref: boolean): void {
    if (ref) this.#timer?.ref()
    else this.#timer?.unref()
  }

  /** It has passed, or nobody waits any more. */
  reset(): void {
    if (this.#since === undefined) return
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#since = undefined
    this.#delay = firstDelay
  }
}
