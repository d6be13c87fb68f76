/**
 * Draws the charts of docs/performance/ from a run's rows: bars with their range, for W8 lines.
 *
 *     node charts.js ROWS.json FOLDER
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { barX, dot, line, plot, ruleY, text } from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { isCost, type Row } from '../harness/rows.js'
import { type Workload, workloads } from '../harness/workloads.js'

interface Point {
  readonly contender: string
  readonly at: number
  readonly median: number
}

type Measured = Row & { readonly median: number; readonly min: number; readonly max: number }

const ours = '#b4451f'
const others = '#7d8a97'
/** Of a logarithmic axis, which has no zero: bars begin at the smallest number, divided by this. */
const belowSmallest = 2

const [, , rowsFile = '', folder = ''] = process.argv
const rows = (JSON.parse(readFileSync(rowsFile, 'utf8')) as Row[]).filter(isMeasured)
mkdirSync(folder, { recursive: true })
for (const workload of workloads) {
  const found = rows.filter((row) => row.workload === workload.id)
  if (found.length === 0) continue
  if (workload.id === 'W8') drawGrowth(found)
  else drawBars(workload, found)
}

function isMeasured(row: Row): row is Measured {
  return row.median !== null && row.min !== null && row.max !== null
}

function drawBars(workload: Workload, found: readonly Measured[]): void {
  for (const metric of mainMetrics(workload)) {
    const shown = found.filter((row) => row.metric === metric)
    if (shown.length === 0) continue
    const floor = Math.min(...shown.map(({ min }) => min)) / belowSmallest
    const better = isCost(metric) ? 'less is better' : 'more is better'
    const sorted = [...shown].sort((a, b) => (isCost(metric) ? a.median - b.median : b.median - a.median))
    save(fileName(workload, metric), {
      height: 70 + 26 * shown.length,
      x: { type: 'log', label: `${metric}, ${shown[0]?.unit} (${better}; logarithmic)`, grid: true, tickFormat: '~s' },
      y: { label: null, domain: sorted.map(({ contender }) => contender) },
      marks: [
        barX(shown, { x1: floor, x2: 'median', y: 'contender', fill: colorOf }),
        ruleY(shown, { y: 'contender', x1: 'min', x2: 'max', stroke: '#222' }),
        text(shown, { x: 'max', y: 'contender', text: label, textAnchor: 'start', dx: 6 }),
      ],
    })
  }
}

function drawGrowth(found: readonly Measured[]): void {
  const axes = [
    { of: 'perFrame at', x: 'bytes of a frame', y: 'ns a frame', file: 'w8-frame-size.svg' },
    { of: 'perByte at', x: 'bytes of a frame', y: 'ns a byte', file: 'w8-byte.svg' },
    { of: 'perFrame on', x: 'live connections', y: 'ns a frame', file: 'w8-connections.svg' },
  ]
  for (const { of, x, y, file } of axes) {
    const points = found.filter(({ metric }) => metric.startsWith(of)).map(pointOf)
    if (points.length === 0) continue
    const last = points.filter((point) =>
      points.every((other) => other.contender !== point.contender || other.at <= point.at),
    )
    save(file, {
      height: 300,
      x: { type: 'log', label: x, tickFormat: '~s' },
      y: { type: 'log', label: y, grid: true, tickFormat: '~s' },
      marks: [
        line(points, { x: 'at', y: 'median', z: 'contender', stroke: colorOf }),
        dot(points, { x: 'at', y: 'median', fill: colorOf }),
        text(last, { x: 'at', y: 'median', text: 'contender', textAnchor: 'start', dx: 6 }),
      ],
    })
  }
}

/** `perFrame at 64 KiB` is at 65,536. */
function pointOf({ contender, metric, median }: Measured): Point {
  const [, , count = '0', unit = ''] = metric.split(' ')
  const scale = unit === 'MiB' ? 1024 * 1024 : unit === 'KiB' ? 1024 : 1
  return { contender, at: Number(count) * scale, median }
}

function save(file: string, options: { readonly marks: readonly unknown[]; readonly [option: string]: unknown }): void {
  const { document } = parseHTML('<html><body></body></html>')
  const chart = plot({ document, width: 720, marginLeft: 120, marginTop: 30, marginRight: 90, ...options })
  chart.setAttribute('style', 'font-family: system-ui, sans-serif; background: white; color: #222')
  chart.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  writeFileSync(join(folder, file), `${chart.outerHTML}\n`)
}

/** p99 is in the table: a chart is of one number. */
function mainMetrics({ id, metrics }: Workload): readonly string[] {
  return id === 'W7' ? ['p50 beside', 'resident server'] : metrics.slice(0, 1)
}

function fileName({ id }: Workload, metric: string): string {
  return `${id}${id === 'W7' ? `-${metric.split(' ')[0]}` : ''}.svg`.toLowerCase()
}

function colorOf({ contender }: { readonly contender: string }): string {
  return contender.startsWith('pillion') ? ours : others
}

function label({ median }: Measured): string {
  return new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 }).format(median)
}
