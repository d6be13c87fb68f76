/**
 * The file of a run: what it has found, as JSON, a line each.
 */
import { writeFileSync } from 'node:fs'

export function writeRows(file: string, rows: readonly object[]): void {
  writeFileSync(file, `[\n${rows.map((row) => `  ${JSON.stringify(row)}`).join(',\n')}\n]\n`)
}
