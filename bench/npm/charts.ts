/**
 * Draws the charts of docs/performance/ from a run's rows: dots with their range, for W8 lines.
 *
 *     node charts.js ROWS.json FOLDER
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dot, line, plot, ruleY, text } from '@observablehq/plot'
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

const [, , rowsFile = '', folder = ''] = process.argv
const all = JSON.parse(readFileSync(rowsFile, 'utf8')) as Row[]
const rows = all.filter(isMeasured)
mkdirSync(folder, { recursive: true })
for (const workload of workloads) {
  const found = rows.filter((row) => row.workload === workload.id)
  if (found.length === 0) continue
  if (workload.id === 'W8') drawGrowth(found)
  else drawDots(workload, found)
}

function isMeasured(row: Row): row is Measured {
  return row.median !== null && row.min !== null && row.max !== null
}

function drawDots(workload: Workload, found: readonly Measured[]): void {
  for (const metric of mainMetrics(workload)) {
    const shown = found.filter((row) => row.metric === metric)
    if (shown.length === 0) continue
    const failed = all.filter((row) => row.workload === workload.id && row.metric === metric && !isMeasured(row))
    const middle = Math.sqrt(Math.min(...shown.map(({ min }) => min)) * Math.max(...shown.map(({ max }) => max)))
    const better = isCost(metric) ? 'less is better' : 'more is better'
    const sorted = [...shown].sort((a, b) => (isCost(metric) ? a.median - b.median : b.median - a.median))
    save(fileName(workload, metric), {
      height: 70 + 26 * (shown.length + failed.length),
      x: { type: 'log', label: `${metric}, ${shown[0]?.unit} (${better}; logarithmic)`, grid: true, tickFormat: '~s' },
      y: { label: null, grid: true, domain: [...sorted, ...failed].map(({ contender }) => contender) },
      marks: [
        ruleY(shown, { y: 'contender', x1: 'min', x2: 'max', stroke: colorOf, strokeWidth: 3 }),
        dot(shown, { x: 'median', y: 'contender', fill: colorOf, r: 5 }),
        text(shown, { x: 'max', y: 'contender', text: label, textAnchor: 'start', dx: 8 }),
        text(failed, { x: () => middle, y: 'contender', text: 'failed', fill: others }),
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
  return id === 'W7' ? ['p50 beside', 'resident server', 'resident client'] : metrics.slice(0, 1)
}

function fileName({ id }: Workload, metric: string): string {
  return `${id}${id === 'W7' ? `-${metric.replace('resident ', '').split(' ')[0]}` : ''}.svg`.toLowerCase()
}

function colorOf({ contender }: { readonly contender: string }): string {
  return contender.startsWith('pillion') ? ours : others
}

function label({ median }: Measured): string {
  return new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 }).format(median)
}
