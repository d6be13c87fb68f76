/**
 * Skips a test whose peer is missing on this machine, and says what it needs.
 *
 * A skipped test is no passed test: the reporter counts it, and with CI=true a run that skipped anything fails.
 */
import { accessSync, constants, existsSync } from 'node:fs'
import { release } from 'node:os'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'vitest'

/** `root`, a kernel's version at least, a command that must be on the PATH, or a C or C++ header to compile against. */
export type Need = 'root' | { readonly kernel: string } | { readonly command: string } | { readonly header: string }

/** First thing in a test: `needs(context, { command: 'python3' })`. */
export function needs(context: Pick<TestContext, 'skip'>, ...all: readonly Need[]): void {
  const missing = all.filter((need) => !isMet(need)).map(nameOf)
  if (missing.length > 0) context.skip(`skipped: needs ${missing.join(', ')}`)
}

export function isMet(need: Need): boolean {
  if (need === 'root') return process.geteuid?.() === 0
  if ('kernel' in need) return compareVersions(release(), need.kernel) >= 0
  if ('header' in need) return existsSync(join('/usr/include', need.header))
  return (process.env.PATH ?? '').split(delimiter).some((folder) => isExecutable(join(folder, need.command)))
}

function nameOf(need: Need): string {
  if (need === 'root') return 'root'
  if ('header' in need) return need.header
  return 'kernel' in need ? `Linux ${need.kernel}` : need.command
}

function compareVersions(left: string, right: string): number {
  const [leftNumbers, rightNumbers] = [left, right].map((version) => version.split(/[.-]/, 2).map(Number)) as [
    number[],
    number[],
  ]
  return (leftNumbers[0] ?? 0) - (rightNumbers[0] ?? 0) || (leftNumbers[1] ?? 0) - (rightNumbers[1] ?? 0)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
