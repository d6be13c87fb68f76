/**
 * A peer as a process, and what it prints, line by line. It has ended when its test has, one way or the other.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'

export interface Program {
  readonly pid: number
  /** The next line of its output. */
  line(): Promise<string>
  /** The next line of its output that matches. */
  lineLike(pattern: RegExp): Promise<string>
  /** Its exit code, once it has ended by itself. */
  readonly exited: Promise<number | null>
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Follow 0, 1 and 2; still the caller's, to be closed once this has returned. */
  readonly descriptors?: readonly number[]
  /** Where it prints what is asked for. What it prints elsewhere shows up among the test's output. */
  readonly output?: 'stdout' | 'stderr'
}

export function startProgram(command: string, args: readonly string[], options: ProgramOptions = {}): Program {
  const { output = 'stdout', descriptors = [], env = {} } = options
  const child = spawn(command, args, {
    stdio: [
      'ignore',
      output === 'stdout' ? 'pipe' : 'inherit',
      output === 'stderr' ? 'pipe' : 'inherit',
      ...descriptors,
    ],
    env: { ...process.env, ...env },
  })
  const closed = once(child, 'close') as Promise<[code: number | null]>
  onTestFinished(async () => {
    child.kill()
    await closed
  })
  const lines = createInterface({ input: child[output]! })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => {
    const next = await lines.next()
    if (next.done) throw new Error(`${command} ended before it said what was waited for`)
    return next.value
  }
  return {
    pid: child.pid!,
    line,
    async lineLike(pattern) {
      for (;;) {
        const next = await line()
        if (pattern.test(next)) return next
      }
    },
    exited: closed.then(([code]) => code),
  }
}

/** For sockets, of mode 0700, gone when the test has finished. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}
