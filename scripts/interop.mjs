/**
 * npm run interop: pillion against peers that nobody here wrote, and the table of what was measured.
 *
 * Arguments go to vitest (`npm run interop -- dbus`). It ends with vitest's exit code, or 1 if a row has anything
 * misassigned, lost or leaked, or if there is none.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const COLUMNS = ['peer', 'version', 'direction', 'frames', 'descriptors', 'misassigned', 'lost', 'leaked']

process.chdir(resolve(dirname(fileURLToPath(import.meta.url)), '..'))
const folder = mkdtempSync(join(tmpdir(), 'pillion-interop-'))
const rowsFile = join(folder, 'rows')
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--root', '.', '--config', 'test/interop/vitest.config.ts']
const { status } = spawnSync(process.execPath, [...vitest, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, PILLION_INTEROP_ROWS: rowsFile },
})
const rows = readRows()
rmSync(folder, { recursive: true })
print(rows)
const flawed = rows.filter((row) => row.misassigned + row.lost + row.leaked > 0)
if (flawed.length > 0) console.log(`${flawed.length} row(s) are not what they must be.`)
if (rows.length === 0) console.log('Nothing was measured.')
process.exitCode = (status ?? 1) || (flawed.length > 0 || rows.length === 0 ? 1 : 0)

function readRows() {
  if (!existsSync(rowsFile)) return []
  const lines = readFileSync(rowsFile, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line)).sort((a, b) => a.peer.localeCompare(b.peer))
}

function print(rows) {
  const cells = [COLUMNS, ...rows.map((row) => COLUMNS.map((column) => format(row[column])))]
  const widths = COLUMNS.map((_, i) => Math.max(...cells.map((line) => line[i].length)))
  const line = (cells) => `| ${cells.join(' | ')} |`
  const align = (text, i) => (i < 3 ? text.padEnd(widths[i]) : text.padStart(widths[i]))
  const [head, ...body] = cells.map((row) => line(row.map(align)))
  console.log(
    [
      '',
      head,
      line(widths.map((width, i) => (i < 3 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))),
      ...body,
      '',
    ].join('\n'),
  )
}

function format(value) {
  return typeof value === 'number' ? value.toLocaleString('en') : value
}
