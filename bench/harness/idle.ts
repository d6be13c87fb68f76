/**
 * W7: pings alone, then beside idle connections, and the memory that each of these takes at either end.
 *
 * Each round has new processes: the memory of the first connections is not that of the next, since the heap has grown.
 */
import type { Metrics } from '../roles/setting.js'
import { Field } from './field.js'
import type { Measuring } from './measure.js'
import { failedRow, type Row, rowOf } from './rows.js'
import type { Case, Workload } from './workloads.js'

type Round = Readonly<Record<string, Map<string, number>>>

export async function measureIdle(workload: Workload, names: readonly string[], measuring: Measuring): Promise<Row[]> {
  const [one] = workload.cases
  if (one === undefined) return []
  const failures = new Map<string, string>()
  const rounds: Round[] = []
  for (let round = 1; round <= measuring.rounds; round++) {
    rounds.push(await measureRound(workload, one, names, failures, measuring, `${round}/${measuring.rounds}`))
  }
  return names.flatMap((name) =>
    workload.metrics.map((metric) => {
      const failure = failures.get(name)
      if (failure !== undefined) return failedRow(workload.id, name, metric, failure)
      return rowOf(
        workload.id,
        name,
        metric,
        rounds.map((found) => found[metric]?.get(name) as number),
      )
    }),
  )
}

async function measureRound(
  workload: Workload,
  one: Case,
  names: readonly string[],
  failures: Map<string, string>,
  measuring: Measuring,
  round: string,
): Promise<Round> {
  const { milliseconds, warmUp } = measuring
  const count = one.connections ?? 0
  const left = names.filter((name) => !failures.has(name))
  const field = await Field.start(workload, one, left, measuring)
  try {
    await field.run(warmUp, `warming ${round}`)
    const alone = await field.run(milliseconds, `alone ${round}`)
    const servers = await field.each(`memory ${round}`, (pair) => pair.tellServer('memory', 0))
    const clients = await field.each(`memory ${round}`, (pair) => pair.tellClient('memory', 0))
    await field.each(`opening ${count} ${round}`, (pair) => pair.tellClient('open', count))
    const fullServers = await field.each(`memory ${round}`, (pair) => pair.tellServer('memory', 0))
    const fullClients = await field.each(`memory ${round}`, (pair) => pair.tellClient('memory', 0))
    const beside = await field.run(milliseconds, `beside ${round}`)
    return {
      'p50 alone': only(alone, 'p50'),
      'p50 beside': only(beside, 'p50'),
      'resident server': grownEach(servers, fullServers, count),
      'resident client': grownEach(clients, fullClients, count),
    }
  } finally {
    for (const name of left) {
      const failure = field.failureOf(name)
      if (failure !== undefined) failures.set(name, failure)
    }
    await field.end()
  }
}

function only(found: Map<string, Metrics>, metric: string): Map<string, number> {
  return new Map([...found].map(([name, metrics]) => [name, metrics[metric] as number]))
}

function grownEach(before: Map<string, Metrics>, after: Map<string, Metrics>, count: number): Map<string, number> {
  const was = only(before, 'resident')
  return new Map([...only(after, 'resident')].map(([name, bytes]) => [name, (bytes - (was.get(name) ?? 0)) / count]))
}
