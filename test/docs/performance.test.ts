/** docs/performance.md shows what bench/system-calls.ts prints. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { programAt } from '../support/programs.js'

const root = new URL('../../', import.meta.url)

it('counts the system calls that docs/performance.md shows', async () => {
  const page = readFileSync(new URL('docs/performance.md', root), 'utf8')
  const shown = /^\| load \|.*(?:\n\|.*)*/m.exec(page)?.[0]
  const bench = programAt(fileURLToPath(new URL('bench/system-calls.ts', root)))
  const { stdout } = await promisify(execFile)(process.execPath, bench)

  expect(stdout.trimEnd()).toBe(shown)
})
