/**
 * npm run bench: pillion and those it is compared with, side by side. docs/performance.md says how to read what it prints.
 */
import { measure } from './harness/measure.js'
import type { Row } from './harness/rows.js'
import type { Workload } from './harness/workloads.js'
import { optionsOfCommandLine } from './options.js'
import { placeOf, workloadTables } from './report/table.js'
import { writeRows } from './report/write-rows.js'

/** Fewer say too little of how far apart they lie. */
const leastRounds = 5

const options = optionsOfCommandLine()
const rows: Row[] = []
for (const workload of options.workloads) {
  if (!process.stderr.isTTY) console.error(`measuring ${workload.id}`)
  const found = await measure(workload, { ...options, ...lengthsFor(workload), progress })
  rows.push(...found)
  progress('')
  console.log(`\n${workload.id}: ${workload.title}\n`)
  console.log(found.length === 0 ? 'none of these takes part' : workloadTables(workload, rows))
  // After each, so that a run that is broken off leaves what it has.
  if (options.json !== undefined) writeRows(options.json, rows)
}
console.log(`\n${placeOf(rows)}`)
if (options.rounds < leastRounds) console.log(`${options.rounds} rounds: not to be quoted`)
if (options.json !== undefined)
  console.log(`npm run bench:page -- ${options.json} draws the charts and writes the page`)

/** A workload of many cases has less time for each. */
function lengthsFor({ cases }: Workload): { milliseconds: number; warmUp: number } {
  const share = cases.length > 4 ? 3 : 1
  return { milliseconds: Math.ceil(options.milliseconds / share), warmUp: Math.ceil(options.warmUp / share) }
}

/** One line that is written over, where somebody watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
