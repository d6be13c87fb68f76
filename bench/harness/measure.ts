/**
 * Measuring a workload: all contenders started and warmed, then rounds of each in turn, A B C A B C …, so that what the
 * machine does meanwhile meets all of them.
 */
import { coresOf, Spinners } from './cpus.js'
import { Field } from './field.js'
import { measureIdle } from './idle.js'
import { binaryOf, provide } from './programs.js'
import { failedRow, type Row, rowOf } from './rows.js'
import { measureStarts } from './starts.js'
import type { Case, Workload } from './workloads.js'

/** A whole workload's least, in ms: V8 takes so long to compile what is run over and over. */
const leastWarmUp = 2000

export interface Measuring {
  readonly rounds: number
  readonly milliseconds: number
  readonly warmUp: number
  /** Undefined: all of the workload's. */
  readonly contenders: readonly string[] | undefined
  progress(text: string): void
}

export async function measure(workload: Workload, measuring: Measuring): Promise<Row[]> {
  const names = workload.contenders.filter((name) => measuring.contenders?.includes(name) ?? true)
  let spinners: Spinners | undefined
  try {
    spinners = await spinnersFor(workload)
  } catch (error) {
    return withoutSpinners(workload, names, error as Error)
  }
  try {
    if (workload.way === 'start') return await measureStarts(workload, names, measuring)
    if (workload.way === 'idle') return await measureIdle(workload, names, measuring)
    const rows: Row[] = []
    for (const one of workload.cases) rows.push(...(await measureCase(workload, one, names, measuring)))
    try {
      spinners?.check()
    } catch (error) {
      return withoutSpinners(workload, names, error as Error)
    }
    return rows
  } finally {
    spinners?.stop()
  }
}

function withoutSpinners({ id, metrics }: Workload, names: readonly string[], error: Error): Row[] {
  const why = `no spinners: ${error.message}`
  return names.flatMap((name) => metrics.map((metric) => failedRow(id, name, metric, why)))
}

async function measureCase(
  workload: Workload,
  one: Case,
  names: readonly string[],
  measuring: Measuring,
): Promise<Row[]> {
  const field = await Field.start(workload, one, names, measuring)
  try {
    await field.run(Math.max(measuring.warmUp, Math.round(leastWarmUp / workload.cases.length)), 'warming')
    const found = new Map<string, Map<string, number[]>>()
    for (let round = 1; round <= measuring.rounds; round++) {
      for (const [name, metrics] of await field.run(measuring.milliseconds, `round ${round}/${measuring.rounds}`)) {
        const ofContender = found.get(name) ?? new Map<string, number[]>()
        found.set(name, ofContender)
        for (const [metric, value] of Object.entries(metrics))
          ofContender.set(metric, [...(ofContender.get(metric) ?? []), value])
      }
    }
    return names.flatMap((name) =>
      (one.metrics ?? workload.metrics).flatMap((metric) => {
        const label = one.at === undefined ? metric : `${metric} ${one.at}`
        const failure = field.failureOf(name)
        if (failure !== undefined) return [failedRow(workload.id, name, label, failure)]
        const values = found.get(name)?.get(metric)
        return values === undefined ? [] : [rowOf(workload.id, name, label, values)]
      }),
    )
  } finally {
    await field.end()
  }
}

export async function spinnersFor(workload: Workload): Promise<Spinners | undefined> {
  if (workload.view !== 'awake') return undefined
  await provide('spin')
  return new Spinners(binaryOf('spin'), coresOf(workload.view))
}
