/**
 * The part of docs/performance.md that a run writes: its tables and charts, and profiles, each between two markers.
 */
import type { Row } from '../harness/rows.js'
import { workloads } from '../harness/workloads.js'
import type { Profile } from '../profile/profile-workload.js'
import { profileTable } from './profile-table.js'
import { placeOf, workloadTables } from './table.js'

/** The parts of the page that are written, each between two markers of its name. */
export type Part = 'bench' | 'profiles'

/** The page with what is between the markers replaced. Throws when it has none. */
export function filled(page: string, part: Part, sections: string): string {
  const begin = `<!-- ${part}: begin; written by npm run bench:page -->`
  const end = `<!-- ${part}: end -->`
  const from = page.indexOf(begin)
  const to = page.indexOf(end)
  if (from < 0 || to < from) throw new Error(`the page has no ${begin} before ${end}`)
  return `${page.slice(0, from + begin.length)}\n\n${sections}\n\n${page.slice(to)}`
}

/** A section for each workload that was measured, and where that was. */
export function sectionsOf(rows: readonly Row[], hasChart: (file: string) => boolean): string {
  const measured = workloads.filter(({ id }) => rows.some(({ workload }) => workload === id))
  const sections = measured.map((workload) => {
    const charts = chartFiles(workload.id)
      .filter(hasChart)
      .map((file) => `![${workload.title}](performance/${file})`)
    return [`### ${workload.id}: ${workload.title}`, ...charts, workloadTables(workload, rows)].join('\n\n')
  })
  return [`Measured on ${placeOf(rows)}.`, ...sections].join('\n\n')
}

/** A table for each workload that was profiled. */
export function profilesOf(profiles: readonly Profile[]): string {
  const profiled = workloads.filter(({ id }) => profiles.some(({ workload }) => workload === id))
  return profiled
    .map(
      ({ id, title }) => `**${id}**, ${title}:\n\n${profileTable(profiles.filter(({ workload }) => workload === id))}`,
    )
    .join('\n\n')
}

function chartFiles(workload: string): string[] {
  const id = workload.toLowerCase()
  if (id === 'w7') return ['w7-p50.svg', 'w7-server.svg', 'w7-client.svg']
  if (id === 'w8') return ['w8-frame-size.svg', 'w8-byte.svg', 'w8-connections.svg']
  return [`${id}.svg`]
}
