/**
 * The profiles of a workload's contenders: rounds of all of them in turn, as the bench has them, that are timed; then one of
 * each whose system calls are counted, and one that is sampled, since both slow what they look at.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, removeFolder } from '../harness/folders.js'
import { Pair } from '../harness/pair.js'
import type { Workload } from '../harness/workloads.js'
import type { Metrics } from '../roles/setting.js'
import { type Counts, countingCalls, countsOf, timing } from './counts.js'
import { type Shares, sampling, sharesIn } from './layers.js'
import { Perf } from './perf.js'

export interface Profile {
  readonly workload: string
  readonly contender: string
  readonly end: string
  /** What the timed round found, in the workload's first metric. */
  readonly value: number
  /** All of these are for one operation: a frame, a call, a round trip, a chain. */
  readonly nanoseconds: number
  readonly faults: number
  readonly switches: number
  readonly calls: Readonly<Record<string, number>>
  readonly shares: Shares
}

export interface Profiling {
  readonly rounds: number
  readonly milliseconds: number
  progress(text: string): void
}

export async function profileWorkload(
  workload: Workload,
  names: readonly string[],
  { rounds, milliseconds, progress }: Profiling,
): Promise<Profile[]> {
  const [one] = workload.cases
  if (one === undefined) throw new Error(`${workload.id} has no case`)
  const watched = new Map<string, WatchedPair>()
  const profiles: Profile[] = []

  /** Each of them in turn; who fails is out, and told of. */
  async function each(what: string, of: Iterable<string>, step: (name: string) => Promise<unknown>): Promise<void> {
    for (const name of [...of]) {
      progress(`${workload.id} ${what} ${name}`)
      try {
        await step(name)
      } catch (error) {
        progress(`${name} is out: ${(error as Error).message}`)
        await watched.get(name)?.end()
        watched.delete(name)
      }
    }
  }
  const the = (name: string): WatchedPair => watched.get(name) as WatchedPair

  try {
    await each('starting', names, async (name) =>
      watched.set(name, new WatchedPair(name, await Pair.start(workload, one, name))),
    )
    await each('warming', watched.keys(), (name) => the(name).run(Math.max(1500, milliseconds)))
    for (let round = 1; round <= rounds; round++) {
      await each(`timing ${round}/${rounds}`, watched.keys(), (name) => the(name).time(milliseconds))
    }
    await each('counting and sampling', watched.keys(), async (name) => {
      profiles.push(...(await the(name).profiles(workload, milliseconds)))
    })
    return profiles
  } finally {
    for (const pair of watched.values()) await pair.end()
  }
}

interface TimedRound {
  readonly metrics: Metrics
  readonly ends: ReadonlyMap<string, Counts>
}

/** A contender's two ends, and what perf has seen of them. */
class WatchedPair {
  readonly #name: string
  readonly #pair: Pair
  readonly #folder = makeFolder()
  readonly #timed: TimedRound[] = []

  constructor(name: string, pair: Pair) {
    this.#name = name
    this.#pair = pair
  }

  run(milliseconds: number): Promise<Metrics> {
    return this.#pair.tellClient('run', milliseconds)
  }

  async time(milliseconds: number): Promise<void> {
    const metrics = await this.#watch(milliseconds, timing)
    const ends = new Map([...this.#pair.processes.keys()].map((end) => [end, this.#countsOf(end)] as const))
    this.#timed.push({ metrics, ends })
  }

  async profiles({ id, metrics: [metric = ''] }: Workload, milliseconds: number): Promise<Profile[]> {
    const timed = middle(this.#timed, ({ metrics }) => metrics[metric] as number)
    const counted = await this.#watch(milliseconds, countingCalls)
    const calls = new Map([...timed.ends.keys()].map((end) => [end, this.#countsOf(end).calls] as const))
    await this.#watch(milliseconds, sampling)
    return Promise.all(
      [...timed.ends].map(async ([end, { nanoseconds, faults, switches }]) => {
        const each = (times: number): number => times / operationsOf(timed.metrics)
        return {
          workload: id,
          contender: this.#name,
          end,
          value: timed.metrics[metric] as number,
          nanoseconds: each(nanoseconds),
          faults: each(faults),
          switches: each(switches),
          calls: Object.fromEntries(
            Object.entries(calls.get(end) ?? {}).map(([call, times]) => [call, times / operationsOf(counted)] as const),
          ),
          shares: await sharesIn(this.#file(end)),
        }
      }),
    )
  }

  async end(): Promise<void> {
    await this.#pair.end()
    removeFolder(this.#folder)
  }

  /** A round, with perf looking at all of its processes. */
  async #watch(milliseconds: number, args: (file: string) => readonly string[]): Promise<Metrics> {
    const perfs = [...this.#pair.processes].map(([end, pid]) => new Perf(args(this.#file(end)), pid))
    for (const perf of perfs) await perf.start()
    const metrics = await this.run(milliseconds)
    for (const perf of perfs) await perf.stop()
    return metrics
  }

  #countsOf(end: string): Counts {
    return countsOf(readFileSync(this.#file(end), 'utf8'))
  }

  #file(end: string): string {
    return join(this.#folder, end)
  }
}

function middle(rounds: readonly TimedRound[], what: (round: TimedRound) => number): TimedRound {
  const sorted = [...rounds].sort((a, b) => what(a) - what(b))
  return sorted[sorted.length >> 1] as TimedRound
}

function operationsOf({ operations }: Metrics): number {
  if (operations === undefined) throw new Error('it does not say how many operations it made')
  return operations
}
