/** A folder of the test's own, gone behind it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-adapters-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}
