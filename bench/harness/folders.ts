/**
 * Folders for the sockets of a pair: removed when it has ended, and all that are left when the run is broken off.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const made = new Set<string>()

export function makeFolder(): string {
  if (made.size === 0) for (const signal of signals) process.once(signal, brokenOff)
  const folder = mkdtempSync(join(tmpdir(), 'pillion-bench-'))
  made.add(folder)
  return folder
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true })
  made.delete(folder)
  if (made.size === 0) for (const signal of signals) process.off(signal, brokenOff)
}

const signals = ['SIGINT', 'SIGTERM'] as const

/** The second signal, without a listener, ends the process as it would have. */
function brokenOff(signal: NodeJS.Signals): void {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
  for (const one of signals) process.off(one, brokenOff)
  process.kill(process.pid, signal)
}
