/**
 * Measures libraries over their usual local transport and over pillion, by pillion's adapters, side by side.
 *
 *     npx tsx bench/adapters.ts [--contenders capnweb,birpc] [--rounds N] [--milliseconds N]
 *
 * As in the other benches, all ways of a library are started and warmed, then take turns; printed are medians, and how many
 * times the usual way pillion is. Another library is another entry of `libraries`, and of bench/contenders/adapters.ts.
 */
import { parseArgs } from 'node:util'
import { measure } from './harness/measure.js'
import type { Row } from './harness/rows.js'
import type { Workload } from './harness/workloads.js'
import { placeOf } from './report/table.js'

/** The names of ways are those of harness/contenders.ts; the last one is the usual way. */
const libraries: Readonly<Record<string, readonly string[]>> = {
  capnweb: ['capnweb, pillion', 'capnweb, pillion, text', 'capnweb', 'capnweb, WebSocket'],
  birpc: ['birpc, pillion', 'birpc', 'birpc, WebSocket'],
  // Over its own transport a second call on what was bootstrapped fails, so that there is nothing to compare it with.
  'capnp-es': ['capnp-es, pillion'],
  'capnp-ts': ['capnp-ts, pillion', 'capnp-ts, WebSocket'],
  comlink: ['comlink, pillion', 'comlink'],
  'vscode-jsonrpc': ['vscode-jsonrpc, pillion', 'vscode-jsonrpc, pillion, text', 'vscode-jsonrpc'],
}

const settings = { view: 'cross', cases: [] } as const
const patterns: readonly Omit<Workload, 'contenders'>[] = [
  { ...settings, id: 'flight', title: '64 calls in flight', metrics: ['calls'], cases: [{ pattern: 'flight' }] },
  { ...settings, id: 'echo', title: 'one call at a time', metrics: ['p50'], cases: [{ pattern: 'echo' }] },
]

const { values } = parseArgs({
  options: {
    contenders: { type: 'string', default: Object.keys(libraries).join() },
    rounds: { type: 'string', default: '5' },
    milliseconds: { type: 'string', default: '500' },
  },
})
const milliseconds = Number(values.milliseconds)
const all: Row[] = []
console.log('| way | calls/s, 64 in flight | × the usual way | µs, one at a time |\n|---|--:|--:|--:|')
for (const name of values.contenders.split(',')) {
  const ways = libraries[name]
  if (ways === undefined) throw new Error(`no library ${name}; there are ${Object.keys(libraries).join(', ')}`)
  const rows: Row[] = []
  for (const pattern of patterns) {
    const measuring = { rounds: Number(values.rounds), milliseconds, warmUp: 2 * milliseconds, contenders: undefined }
    rows.push(...(await measure({ ...pattern, contenders: ways }, { ...measuring, progress: () => {} })))
  }
  for (const way of ways) console.log(lineOf(way, ways.at(-1) as string, rows))
  all.push(...rows)
}
console.log(`\n${placeOf(all)}`)

function lineOf(way: string, usual: string, rows: readonly Row[]): string {
  const find = (workload: string, contender: string) =>
    rows.find((row) => row.workload === workload && row.contender === contender)
  const flight = find('flight', way)
  if (flight?.failed !== undefined) return `| ${way} | ${flight.failed} | | |`
  const calls = flight?.median ?? Number.NaN
  const ratio = calls / (find('flight', usual)?.median ?? Number.NaN)
  const one = find('echo', way)?.median ?? Number.NaN
  const times = Object.values(libraries).some((ways) => ways.length === 1 && ways[0] === way) ? '–' : ratio.toFixed(2)
  return `| ${way} | ${Math.round(calls).toLocaleString('en')} | ${times} | ${one.toFixed(0)} |`
}
