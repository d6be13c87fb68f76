/**
 * npm run bench:page: writes a run's tables into docs/performance.md, between its markers, and draws its charts.
 *
 *     npx tsx bench/write-page.ts [ROWS.json]      (default bench/results.json)
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { provide, scriptOf } from './harness/programs.js'
import type { Row } from './harness/rows.js'
import { filled, sectionsOf } from './report/page.js'

const root = new URL('../', import.meta.url)
const rowsFile = process.argv[2] ?? fileURLToPath(new URL('bench/results.json', root))
const page = new URL('docs/performance.md', root)
const charts = new URL('docs/performance/', root)

const rows = JSON.parse(readFileSync(rowsFile, 'utf8')) as Row[]
await provide('npm')
execFileSync(process.execPath, [scriptOf('npm', 'charts'), rowsFile, fileURLToPath(charts)], { stdio: 'inherit' })
const hasChart = (file: string): boolean => existsSync(new URL(file, charts))
writeFileSync(page, filled(readFileSync(page, 'utf8'), sectionsOf(rows, hasChart)))
