/**
 * Field: the contenders of one case, all of them started, who run one after the other. Who fails is out, and why is kept.
 */
import type { Metrics } from '../roles/setting.js'
import type { Measuring } from './measure.js'
import { Pair } from './pair.js'
import type { Case, Workload } from './workloads.js'

type Progress = Pick<Measuring, 'progress'>

export class Field {
  readonly #workload: Workload
  readonly #measuring: Progress
  readonly #pairs = new Map<string, Pair>()
  readonly #failures = new Map<string, string>()

  static async start(workload: Workload, one: Case, names: readonly string[], measuring: Progress): Promise<Field> {
    const field = new Field(workload, measuring)
    for (const name of names) {
      measuring.progress(`${workload.id} ${one.at ?? ''} starting ${name}`)
      await Pair.start(workload, one, name).then(
        (pair) => field.#pairs.set(name, pair),
        (error: Error) => field.#failures.set(name, error.message),
      )
    }
    return field
  }

  private constructor(workload: Workload, measuring: Progress) {
    this.#workload = workload
    this.#measuring = measuring
  }

  failureOf(name: string): string | undefined {
    return this.#failures.get(name)
  }

  /** Each in turn; what came, by contender. */
  run(milliseconds: number, what: string): Promise<Map<string, Metrics>> {
    return this.each(what, (pair) => pair.tellClient('run', milliseconds))
  }

  async each<Found>(what: string, order: (pair: Pair, name: string) => Promise<Found>): Promise<Map<string, Found>> {
    const found = new Map<string, Found>()
    for (const [name, pair] of [...this.#pairs]) {
      this.#measuring.progress(`${this.#workload.id} ${what} ${name}`)
      try {
        found.set(name, await order(pair, name))
      } catch (error) {
        this.#failures.set(name, (error as Error).message)
        this.#pairs.delete(name)
        await pair.end()
      }
    }
    return found
  }

  async end(): Promise<void> {
    for (const pair of this.#pairs.values()) await pair.end()
    this.#pairs.clear()
  }
}
