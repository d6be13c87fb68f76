/**
 * Runs the programs beside this file, which use the built package as anybody would, in processes of their own: with
 * limits that would hurt the test's own process, or to die in ways that it could not survive.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'

export interface Outcome {
  /** What it printed, a line of JSON each. */
  readonly lines: readonly unknown[]
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
}

export interface ChildOptions {
  /** Most open descriptors (RLIMIT_NOFILE). */
  readonly limit?: number
}

export function runChild(name: string, args: readonly string[] = [], options: ChildOptions = {}): Promise<Outcome> {
  const limit = options.limit === undefined ? '' : `ulimit -n ${options.limit}; `
  const program = [process.execPath, '--expose-gc', join(import.meta.dirname, name), ...args]
  return new Promise((resolve) => {
    const child = execFile(
      '/bin/sh',
      ['-c', `${limit}exec "$@"`, 'sh', ...program],
      { encoding: 'utf8', timeout: 18_000, killSignal: 'SIGABRT' },
      (_error, stdout, stderr) => {
        const lines = stdout.split('\n').filter((line) => line !== '')
        resolve({ lines: lines.map(parse), code: child.exitCode, signal: child.signalCode, stderr })
      },
    )
  })
}

/** The answers of a child that must end well. */
export async function answersOf(name: string, args: readonly string[] = [], options: ChildOptions = {}) {
  const { lines, code, signal, stderr } = await runChild(name, args, options)
  if (code !== 0 || stderr !== '') throw new Error(`${name} ended with ${code ?? signal}: ${stderr}`)
  return lines
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return line
  }
}
