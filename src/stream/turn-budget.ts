/**
 * TurnBudget: how many frames are handed on one by one before the loop's other work has its turn. A slab of small frames
 * is many calls of listeners, and when they return the next one may be there already. A batch is one call a slab: there the
 * native side's own bounds, of bytes and of time, are enough. Those know nothing of what a memfd brings, which is counted here.
 */
import { setImmediate } from '../event-loop.js'

const framesPerTurn = 4096
const bytesPerTurn = 8 * 1024 * 1024

export class TurnBudget {
  readonly #onSpent: () => void
  readonly #onTurn: () => void
  #handedOn = 0
  #bytes = 0
  #spent = false

  /** @param onTurn the loop has had its turn: go on */
  constructor(onSpent: () => void, onTurn: () => void) {
    this.#onSpent = onSpent
    this.#onTurn = onTurn
  }

  /** The loop's other work has its turn: nothing is handed on. */
  get spent(): boolean {
    return this.#spent
  }

  /** @param bytes that did not come by the socket */
  count(frames: number, bytes: number): void {
    this.#handedOn += frames
    this.#bytes += bytes
    if ((this.#handedOn < framesPerTurn && this.#bytes < bytesPerTurn) || this.#spent) return
    this.#spent = true
    this.#onSpent()
    setImmediate(() => {
      this.#spent = false
      this.#handedOn = 0
      this.#bytes = 0
      this.#onTurn()
    })
  }
}
