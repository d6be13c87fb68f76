/**
 * W9: a new process each round, which says itself how long it took from before the import to the first frame.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { coresOf, pinned } from './cpus.js'
import { makeFolder, removeFolder } from './folders.js'
import type { Measuring } from './measure.js'
import { provide, scriptOf } from './programs.js'
import { failedRow, type Row, rowOf } from './rows.js'
import type { Workload } from './workloads.js'

const scripts: Readonly<Record<string, string>> = { 'net-naive': 'cold-net', pillion: 'cold-pillion' }

export async function measureStarts(
  workload: Workload,
  names: readonly string[],
  measuring: Measuring,
): Promise<Row[]> {
  try {
    await provide('node')
  } catch (error) {
    return names.map((name) => failedRow(workload.id, name, 'start', (error as Error).message))
  }
  const found = new Map<string, number[]>(names.map((name) => [name, []]))
  const failures = new Map<string, string>()
  // The first round, with nothing in the page cache yet, is not counted.
  for (let round = 0; round <= measuring.rounds; round++) {
    for (const name of names) {
      measuring.progress(`${workload.id} start ${round}/${measuring.rounds} ${name}`)
      try {
        const took = await start(scripts[name] ?? '')
        if (round > 0) found.get(name)?.push(took)
      } catch (error) {
        failures.set(name, (error as Error).message.split('\n')[0] ?? 'failed')
      }
    }
  }
  return names.map((name) => {
    const failure = failures.get(name)
    if (failure !== undefined) return failedRow(workload.id, name, 'start', failure)
    return rowOf(workload.id, name, 'start', found.get(name) ?? [])
  })
}

async function start(script: string): Promise<number> {
  const folder = makeFolder()
  const [command = '', ...args] = pinned(
    [coresOf('cross').client],
    [process.execPath, scriptOf('node', script), join(folder, 's')],
  )
  try {
    const { stdout } = await promisify(execFile)(command, args)
    return Number(stdout)
  } finally {
    removeFolder(folder)
  }
}
