/**
 * npm run bench:page: writes a run's tables and the profiles into docs/performance.md, between its markers, and draws the
 * run's charts.
 *
 *     npx tsx bench/write-page.ts [ROWS.json [PROFILES.json]]      (default bench/results.json bench/profiles.json)
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { provide, scriptOf } from './harness/programs.js'
import type { Row } from './harness/rows.js'
import type { Profile } from './profile/profile-workload.js'
import { filled, profilesOf, sectionsOf } from './report/page.js'

const root = new URL('../', import.meta.url)
const rowsFile = process.argv[2] ?? fileURLToPath(new URL('bench/results.json', root))
const profilesFile = process.argv[3] ?? fileURLToPath(new URL('bench/profiles.json', root))
const page = new URL('docs/performance.md', root)
const charts = new URL('docs/performance/', root)

const rows = JSON.parse(readFileSync(rowsFile, 'utf8')) as Row[]
await provide('npm')
execFileSync(process.execPath, [scriptOf('npm', 'charts'), rowsFile, fileURLToPath(charts)], { stdio: 'inherit' })
const hasChart = (file: string): boolean => existsSync(new URL(file, charts))
const withTables = filled(readFileSync(page, 'utf8'), 'bench', sectionsOf(rows, hasChart))
const profiles = JSON.parse(readFileSync(profilesFile, 'utf8')) as Profile[]
writeFileSync(page, filled(withTables, 'profiles', profilesOf(profiles)))
