/**
 * The profiles of a workload's contenders: rounds of all of them in turn, as the bench has them, that are timed; then one of
 * each whose system calls are counted, and one that is sampled, since both slow what they look at.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Field } from '../harness/field.js'
import { makeFolder, removeFolder } from '../harness/folders.js'
import type { Pair } from '../harness/pair.js'
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

/** A round that perf looks at; what it has seen of an end goes to the folder's file of the end's name. */
interface Look {
  readonly pair: Pair
  readonly milliseconds: number
  readonly folder: string
}

interface TimedRound {
  readonly metrics: Metrics
  readonly ends: ReadonlyMap<string, Counts>
}

export async function profileWorkload(
  workload: Workload,
  names: readonly string[],
  profiling: Profiling,
): Promise<Profile[]> {
  const { rounds, milliseconds, progress } = profiling
  const [one] = workload.cases
  if (one === undefined) throw new Error(`${workload.id} has no case`)
  const folder = makeFolder()
  const field = await Field.start(workload, one, names, profiling)
  try {
    const timed = new Map<string, TimedRound[]>(names.map((name) => [name, []]))
    await field.run(Math.max(1500, milliseconds), 'warming')
    for (let round = 1; round <= rounds; round++) {
      const found = await field.each(`timing ${round}/${rounds}`, (pair) => time({ pair, milliseconds, folder }))
      for (const [name, times] of found) timed.get(name)?.push(times)
    }
    const profiles = await field.each('counting and sampling', (pair, name) =>
      profilesOf(workload, name, { pair, milliseconds, folder }, timed.get(name) ?? []),
    )
    for (const name of names) {
      const failure = field.failureOf(name)
      if (failure !== undefined) progress(`${name} is out: ${failure}`)
    }
    return [...profiles.values()].flat()
  } finally {
    await field.end()
    removeFolder(folder)
  }
}

async function time(look: Look): Promise<TimedRound> {
  const metrics = await watch(look, timing)
  return { metrics, ends: countsOfEnds(look) }
}

/** Of both ends, by what was timed and two rounds more. */
async function profilesOf(
  { id, metrics: [metric = ''] }: Workload,
  contender: string,
  look: Look,
  rounds: readonly TimedRound[],
): Promise<Profile[]> {
  const timed = middle(rounds, ({ metrics }) => metrics[metric] as number)
  const counted = await watch(look, countingCalls)
  const calls = countsOfEnds(look)
  await watch(look, sampling)
  return Promise.all(
    [...timed.ends].map(async ([end, { nanoseconds, faults, switches }]) => {
      const each = (times: number): number => times / operationsOf(timed.metrics)
      return {
        workload: id,
        contender,
        end,
        value: timed.metrics[metric] as number,
        nanoseconds: each(nanoseconds),
        faults: each(faults),
        switches: each(switches),
        calls: Object.fromEntries(
          Object.entries(calls.get(end)?.calls ?? {}).map(([call, times]) => [call, times / operationsOf(counted)]),
        ),
        shares: await sharesIn(join(look.folder, end)),
      }
    }),
  )
}

async function watch(
  { pair, milliseconds, folder }: Look,
  args: (file: string) => readonly string[],
): Promise<Metrics> {
  const perfs = [...pair.processes].map(([end, pid]) => new Perf(args(join(folder, end)), pid))
  for (const perf of perfs) await perf.start()
  const metrics = await pair.tellClient('run', milliseconds)
  for (const perf of perfs) await perf.stop()
  return metrics
}

function countsOfEnds({ pair, folder }: Look): Map<string, Counts> {
  return new Map([...pair.processes.keys()].map((end) => [end, countsOf(readFileSync(join(folder, end), 'utf8'))]))
}

function middle(rounds: readonly TimedRound[], what: (round: TimedRound) => number): TimedRound {
  const sorted = [...rounds].sort((a, b) => what(a) - what(b))
  return sorted[sorted.length >> 1] as TimedRound
}

function operationsOf({ operations }: Metrics): number {
  if (operations === undefined) throw new Error('it does not say how many operations it made')
  return operations
}
