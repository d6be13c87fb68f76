/**
 * The tables that people read, in Markdown: a workload's rows, and its goals with how they stand.
 */

import type { Row } from '../harness/rows.js'
import type { Workload } from '../harness/workloads.js'
import { type Verdict, verdictsOf } from './verdicts.js'

export function workloadTables(workload: Workload, rows: readonly Row[]): string {
  const ours = rows.filter((row) => row.workload === workload.id)
  const verdicts = verdictsOf(rows).filter((verdict) => verdict.workload === workload.id)
  return [rowTable(ours), ...(verdicts.length === 0 ? [] : [verdictTable(verdicts)])].join('\n\n')
}

export function placeOf(rows: readonly Row[]): string {
  const places = new Set(rows.map(({ machine, kernel, node }) => `${machine}; ${kernel}; Node ${node}`))
  return [...places].join(' · ')
}

function rowTable(rows: readonly Row[]): string {
  const head = ['contender', 'metric', 'median', 'min', 'max', 'unit', 'rounds']
  const body = rows.map((row) => {
    const { contender, metric, unit, rounds, failed } = row
    if (failed !== undefined) return [contender, metric, failed, '', '', '', '0']
    return [contender, metric, ...[row.median, row.min, row.max].map(number), unit, String(rounds)]
  })
  return markdown([head, ...body], 'llrrrlr')
}

function verdictTable(verdicts: readonly Verdict[]): string {
  const head = ['goal', 'against', 'ratio', 'wanted', '']
  const body = verdicts.map(({ what, reference, ratio, goal, met }) => [
    what,
    reference,
    ratio === undefined ? '–' : shownRatio(ratio, goal),
    goal,
    met === undefined ? 'not measured' : met ? 'met' : 'NOT MET',
  ])
  return markdown([head, ...body], 'llrrl')
}

/** Two digits, unless they would make it look like the goal itself. */
function shownRatio(ratio: number, goal: string): string {
  const short = ratio.toFixed(2)
  const wanted = Number.parseFloat(goal.slice(2))
  return Number(short) === wanted && ratio !== wanted ? ratio.toFixed(4) : short
}

/** Columns of one width, so that it can be read as it is too. */
export function markdown(lines: readonly (readonly string[])[], alignment: string): string {
  const widths = [...alignment].map((_, i) => Math.max(3, ...lines.map((line) => (line[i] ?? '').length)))
  const right = (i: number): boolean => alignment[i] === 'r'
  const shown = lines.map((line) =>
    widths.map((width, i) => (right(i) ? (line[i] ?? '').padStart(width) : (line[i] ?? '').padEnd(width))),
  )
  const rule = widths.map((width, i) => (right(i) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)))
  const [head = [], ...body] = shown
  return [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Three digits that count, and M or G behind large ones. */
export function number(value: number | null): string {
  if (value === null) return '–'
  const [scaled, unit] = value >= 1e9 ? [value / 1e9, ' G'] : value >= 1e6 ? [value / 1e6, ' M'] : [value, '']
  const digits = scaled >= 100 ? 0 : scaled >= 10 ? 1 : 2
  return `${scaled.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })}${unit}`
}
