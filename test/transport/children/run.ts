/**
 * Starts the TypeScript children of these tests as real processes. Each one answers with a line of JSON per step.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { programAt } from '../../support/programs.js'

export interface Child {
  readonly process: ChildProcess
  /** The next line that it prints. */
  answer(): Promise<unknown>
  /** Sends it a line. */
  tell(line: string): void
  /** Ends its input and waits for it; its exit code. */
  end(): Promise<number | null>
}

export interface ChildOptions {
  /** Of open descriptors, for this child alone. */
  readonly limit?: number
}

export function startChild(script: string, args: readonly string[] = [], options: ChildOptions = {}): Child {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const command = [process.execPath, ...programAt(path), ...args]
  const limit = options.limit === undefined ? '' : `ulimit -n ${options.limit}; `
  const child = spawn('/bin/sh', ['-c', `${limit}exec "$@"`, 'sh', ...command], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Warnings are emitted, for those who look, but not printed. Where a worker thread loads TypeScript, the loader's cache
    // would open files at odd moments.
    env: { ...process.env, NODE_NO_WARNINGS: '1', TSX_DISABLE_CACHE: '1' },
  })
  const exited = once(child, 'close')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    process: child,
    async answer() {
      const line = await lines.next()
      if (line.done) throw new Error(`${script} ended before it answered`)
      return JSON.parse(line.value)
    },
    tell: (line) => void child.stdin.write(`${line}\n`),
    async end() {
      child.stdin.end()
      const [code] = await exited
      return code
    },
  }
}
