/**
 * W7: pings alone, then beside idle connections, and the memory that each of these takes at either end.
 */
import type { Metrics } from '../roles/setting.js'
import { Field } from './field.js'
import type { Measuring } from './measure.js'
import { failedRow, type Row, rowOf } from './rows.js'
import type { Workload } from './workloads.js'

export async function measureIdle(workload: Workload, names: readonly string[], measuring: Measuring): Promise<Row[]> {
  const [one] = workload.cases
  if (one === undefined) return []
  const { rounds, milliseconds, warmUp } = measuring
  const count = one.connections ?? 0
  const field = await Field.start(workload, one, names, measuring)
  try {
    await field.run(warmUp, 'warming')
    const alone: Map<string, Metrics>[] = []
    const beside: Map<string, Metrics>[] = []
    for (let round = 1; round <= rounds; round++) alone.push(await field.run(milliseconds, `alone ${round}/${rounds}`))
    const serversBefore = await field.each('memory', (pair) => pair.tellServer('memory', 0))
    const clientsBefore = await field.each('memory', (pair) => pair.tellClient('memory', 0))
    await field.each(`opening ${count}`, (pair) => pair.tellClient('open', count))
    const servers = await field.each('memory', (pair) => pair.tellServer('memory', 0))
    const clients = await field.each('memory', (pair) => pair.tellClient('memory', 0))
    for (let round = 1; round <= rounds; round++)
      beside.push(await field.run(milliseconds, `beside ${round}/${rounds}`))
    return names.flatMap((name) => {
      const failure = field.failureOf(name)
      if (failure !== undefined) return workload.metrics.map((metric) => failedRow(workload.id, name, metric, failure))
      const p50 = (of: Map<string, Metrics>[]): number[] => of.map((round) => round.get(name)?.p50 as number)
      const each = (after: Map<string, Metrics>, before: Map<string, Metrics>): number[] => [
        ((after.get(name)?.resident as number) - (before.get(name)?.resident as number)) / count,
      ]
      return [
        rowOf(workload.id, name, 'p50 alone', p50(alone)),
        rowOf(workload.id, name, 'p50 beside', p50(beside)),
        rowOf(workload.id, name, 'resident server', each(servers, serversBefore)),
        rowOf(workload.id, name, 'resident client', each(clients, clientsBefore)),
      ]
    })
  } finally {
    await field.end()
  }
}
