/**
 * Verdicts: the goals, worked out from rows. A reference that failed is no reference: such a goal is open.
 */
import { isCost, type Row } from '../harness/rows.js'
import { type Goal, goals, type StepGoal, stepGoals } from './goals.js'

export interface Verdict {
  readonly workload: string
  readonly what: string
  readonly reference: string
  readonly ratio: number | undefined
  readonly goal: string
  readonly met: boolean | undefined
}

/** Of the workloads that the rows are of. */
export function verdictsOf(rows: readonly Row[]): Verdict[] {
  const measured = new Set(rows.map(({ workload }) => workload))
  return [
    ...goals.filter(({ workload }) => measured.has(workload)).map((goal) => verdict(goal, rows)),
    ...stepGoals.filter(({ workload }) => measured.has(workload)).map((goal) => stepVerdict(goal, rows)),
  ]
}

function verdict(goal: Goal, rows: readonly Row[]): Verdict {
  const { workload, contender, metric, at, times, of, plus = 0, strict = false } = goal
  const ours = medianOf(rows, workload, contender, metric)
  const found = of
    .map((name) => ({ name, median: medianOf(rows, goal.ofWorkload ?? workload, name, goal.ofMetric ?? metric) }))
    .filter((one): one is { name: string; median: number } => one.median !== undefined)
    .sort((a, b) => (isCost(metric) ? a.median - b.median : b.median - a.median))
  const best = found[0]
  const failed = of.filter(
    (name) => rowOf(rows, goal.ofWorkload ?? workload, name, goal.ofMetric ?? metric)?.median === null,
  )
  const ratio = ours === undefined || best === undefined ? undefined : ours / best.median
  const limit = best === undefined ? times : times + plus / best.median
  const sign = at === 'least' ? '≥' : strict ? '<' : '≤'
  return {
    workload,
    what: `${contender} ${metric}`,
    reference: referenceName(goal, best?.name, failed),
    ratio,
    goal: plus === 0 ? `${sign} ${times}` : `${sign} ${times} × + ${plus} ms`,
    met: ratio === undefined ? undefined : at === 'least' ? ratio >= times : strict ? ratio < limit : ratio <= limit,
  }
}

/** The largest step, as the ratio. */
function stepVerdict({ workload, contender, metric, steps, times }: StepGoal, rows: readonly Row[]): Verdict {
  const costs = steps.map((step) => medianOf(rows, workload, contender, step))
  const ratios = costs.slice(1).flatMap((cost, i) => {
    const before = costs[i]
    return cost === undefined || before === undefined ? [] : [cost / before]
  })
  const ratio = ratios.length === steps.length - 1 ? Math.max(...ratios) : undefined
  const met = ratio === undefined ? undefined : ratio <= times
  return { workload, what: `${contender} ${metric}`, reference: 'the step before', ratio, goal: `≤ ${times}`, met }
}

/** The best one that was measured; what failed might have been better. */
function referenceName({ of, ofName, ofWorkload }: Goal, best: string | undefined, failed: readonly string[]): string {
  const isOne = best === undefined || of.length === 1
  const found = failed.length === 0 ? best : `${best}; failed: ${failed.join(', ')}`
  const name = isOne ? (ofName ?? of[0] ?? '') : `${ofName} (${found})`
  return ofWorkload === undefined || ofName === ofWorkload ? name : `${name} of ${ofWorkload}`
}

function medianOf(rows: readonly Row[], workload: string, contender: string, metric: string): number | undefined {
  return rowOf(rows, workload, contender, metric)?.median ?? undefined
}

function rowOf(rows: readonly Row[], workload: string, contender: string, metric: string): Row | undefined {
  return rows.find((one) => one.workload === workload && one.contender === contender && one.metric === metric)
}
