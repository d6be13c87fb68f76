/**
 * npm run peer-suites: other RPC libraries' own tests, with their connections made over pillion, and the table of
 * docs/adapters.md.
 *
 *     npm run peer-suites -- [NAME…] [--sources DIR]
 *
 * The tests are fetched from GitHub, at the commits of suites.ts; with --sources from the clones DIR/OWNER/NAME. It ends with 1 if
 * one fails that suites.ts does not say cannot pass, if one of those passes, and if any could not be fetched or run.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Outcome } from './reporter.js'
import { fetchTests } from './sources.js'
import { type Suite, suites, type Variant } from './suites.js'

const root = resolve(import.meta.dirname, '../..')
const { values, positionals } = parseArgs({ allowPositionals: true, options: { sources: { type: 'string' } } })
const unknown = positionals.filter((name) => !suites.some((suite) => suite.name === name))
if (unknown.length > 0) throw new Error(`no suite ${unknown.join(', ')}: ${suites.map(({ name }) => name).join(', ')}`)

const rows: string[] = []
const surprises: string[] = []
for (const suite of suites) {
  if (positionals.length > 0 && !positionals.includes(suite.name)) continue
  try {
    fetchTests(suite, values.sources)
  } catch (error) {
    surprises.push(`${suite.name}: not fetched: ${(error as Error).message}`)
    continue
  }
  for (const variant of suite.variants) judge(suite, variant, outcomesOf(suite, variant))
}

console.log(['', '| library | tests of | as | passes | the others |', '|---|---|---|--:|---|', ...rows, ''].join('\n'))
for (const surprise of surprises) console.log(surprise)
process.exitCode = surprises.length === 0 ? 0 : 1

function outcomesOf({ name, library }: Suite, variant: Variant): Outcome[] {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-peer-suites-'))
  const results = join(folder, 'results.json')
  const config = join(import.meta.dirname, 'vitest.config.ts')
  try {
    const run = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--config', config], {
      cwd: root,
      encoding: 'utf8',
      env: {
        ...process.env,
        PEER_SUITES_NAME: name,
        PEER_SUITES_VARIANT: variant.name,
        PEER_SUITES_LIBRARY: variant.library ?? library,
        PEER_SUITES_RESULTS: results,
      },
    })
    try {
      return JSON.parse(readFileSync(results, 'utf8')) as Outcome[]
    } catch {
      return [{ title: 'the run', state: 'failed', overPillion: true, error: `${run.stdout}${run.stderr}` }]
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Only tests that have made a connection over pillion say anything about it. */
function judge(suite: Suite, variant: Variant, outcomes: readonly Outcome[]): void {
  const over = outcomes.filter(({ overPillion }) => overPillion)
  const failed = over.filter(({ state }) => state !== 'passed')
  const expected = suite.cannot.filter(({ variants }) => variants === undefined || variants.includes(variant.name))
  const run = [suite.name, installed(variant.library ?? suite.library), variant.name].filter(Boolean).join(' ')
  for (const { title, error } of failed) {
    if (!expected.some((impossible) => impossible.title === title)) surprises.push(`${run}: ${title}: ${error}`)
  }
  for (const { title } of expected) {
    if (!failed.some((outcome) => outcome.title === title)) surprises.push(`${run}: ${title}: does not fail`)
  }
  if (over.length === 0) surprises.push(`${run}: none made a connection over pillion`)
  const library = `${suite.library} ${installed(variant.library ?? suite.library)}`
  const passes = `${over.length - failed.length} of ${over.length}`
  const reasons = [...new Set(expected.map(({ why }) => why))].join('; ')
  rows.push(`| ${library} | ${suite.tests} | ${variant.name} | ${passes} | ${reasons} |`)
  console.log(`${run}: ${passes} over pillion`)
}

function installed(library: string): string {
  const file = join(root, 'node_modules', library, 'package.json')
  return (createRequire(import.meta.url)(file) as { version: string }).version
}
