/**
 * The times of one round's exchanges, and their percentiles, in microseconds.
 */
import type { Metrics } from './setting.js'

const most = 1 << 21

export class Laps {
  readonly #laps = new Float64Array(most)
  #count = 0

  get full(): boolean {
    return this.#count === most
  }

  add(milliseconds: number): void {
    if (this.#count < most) this.#laps[this.#count++] = milliseconds
  }

  /** What was gathered, which is then forgotten. */
  take(): Metrics {
    const laps = this.#laps.subarray(0, this.#count).sort()
    this.#count = 0
    const operations = laps.length
    const at = (part: number): number => (laps[Math.floor(laps.length * part)] ?? Number.NaN) * 1000
    return { p50: at(0.5), p99: at(0.99), operations }
  }
}
