/**
 * Programs of examples/, run as a user would run them: each a process of its own, gone when its test has finished.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { bundledTogether, programAt } from '../support/programs.js'

const cwd = resolve(import.meta.dirname, '../..')

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs it to its end. */
export function run(program: string, args: readonly string[], uid?: number): Promise<Ended> {
  return ended(command(program, args), uid)
}

/** Runs the first of a folder's programs, which starts the others. */
export function runTogether(example: string, programs: readonly string[], args: readonly string[]): Promise<Ended> {
  const folder = bundledTogether(programs.map((name) => join(cwd, 'examples', example, `${name}.ts`)))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return ended(['--enable-source-maps', join(folder, `${programs[0]}.mjs`), ...args])
}

function ended(argv: readonly string[], uid?: number): Promise<Ended> {
  return new Promise((settle) => {
    const options = { cwd, encoding: 'utf8', ...(uid === undefined ? {} : { uid }) } as const
    const child = execFile(process.execPath, argv, options, (_error, stdout, stderr) =>
      settle({ status: child.exitCode, stdout, stderr }),
    )
  })
}

/** A server: it prints a line once it serves. */
export class Started {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  static async serving(program: string, args: readonly string[]): Promise<Started> {
    const started = new Started(program, args)
    await started.#line()
    return started
  }

  private constructor(program: string, args: readonly string[]) {
    this.#child = spawn(process.execPath, command(program, args), { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
    this.#exited = once(this.#child, 'exit')
    onTestFinished(async () => {
      this.#child.kill('SIGKILL') // nothing, if it has ended as it should
      await this.#exited
    })
  }

  /** Asks it to end; how it did. */
  async end(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    await this.#exited
    return this.#child.exitCode
  }

  async #line(): Promise<void> {
    const lines = createInterface(this.#child.stdout!)
    const first = await Promise.race([once(lines, 'line'), this.#exited])
    lines.close()
    if (typeof first === 'object' && this.#child.exitCode !== null) throw new Error('it ended instead of serving')
  }
}

function command(program: string, args: readonly string[]): string[] {
  return [...programAt(join(cwd, 'examples', program)), ...args]
}
