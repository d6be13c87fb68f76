/**
 * Which cores the two ends run on, and what keeps those cores awake.
 *
 * On a virtual machine a round trip between two cores is mostly the waking of a halted core. So there are three views:
 * `cross` as it is, `awake` with a spinner of SCHED_IDLE on each core, `same` with both ends on one.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'

export type View = 'same' | 'cross' | 'awake'

export interface Cores {
  readonly server: number
  readonly client: number
}

export function coresOf(view: View): Cores {
  const [first, second] = allowedCpus()
  if (first === undefined) throw new Error('taskset names no core')
  if (view === 'same') return { server: first, client: first }
  if (second === undefined) throw new Error('two cores are needed: one for each end')
  return { server: first, client: second }
}

/** The command, on these cores only. */
export function pinned(cores: readonly number[], command: readonly string[]): string[] {
  return ['taskset', '-c', [...new Set(cores)].join(','), ...command]
}

export class Spinners {
  readonly #spinners: ChildProcess[]

  constructor(program: string, { server, client }: Cores) {
    this.#spinners = [server, client].map((core) => {
      const [command = '', ...args] = pinned([core], [program])
      return spawn(command, args, { stdio: 'ignore' })
    })
  }

  /** Throws if one has ended, so that its core may have halted. */
  check(): void {
    if (this.#spinners.every(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) return
    throw new Error('a spinner has ended: what was measured was not awake')
  }

  stop(): void {
    for (const spinner of this.#spinners) spinner.kill('SIGKILL')
  }
}

function allowedCpus(): number[] {
  const [, list = ''] = execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' })
    .trim()
    .split(': ')
  return list.split(',').flatMap((range) => {
    const [from = 0, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, i) => from + i)
  })
}
