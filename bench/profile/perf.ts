/**
 * perf, attached to a process and silent until it is told to look: what it is told and what it answers go through pipes,
 * so that it looks at a round and at nothing else.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** Of symbols there are many. */
const maxBuffer = 64 * 1024 * 1024

export class Perf {
  readonly #child: ChildProcess
  readonly #orders: Writable
  readonly #answers: Readable
  /** Its last words. */
  readonly #ended: Promise<string>

  /** @param args `stat …` or `record …`, without what says whom to look at */
  constructor(args: readonly string[], pid: number) {
    const [command = '', ...rest] = args
    const attached = [command, '-D', '-1', '--control', 'fd:3,4', '-p', String(pid), ...rest]
    this.#child = spawn('perf', attached, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] })
    this.#orders = this.#child.stdio[3] as Writable
    this.#answers = this.#child.stdio[4] as Readable
    this.#orders.on('error', () => {}) // it has ended: `tell` says why
    this.#ended = lastWords(this.#child)
  }

  /** Rejects with an Error that says why perf does not look: not installed, not allowed. */
  start(): Promise<void> {
    return this.#tell('enable')
  }

  /** Resolves once all that it saw has been written. */
  async stop(): Promise<void> {
    await this.#tell('disable')
    this.#child.kill('SIGINT')
    await this.#ended
  }

  async #tell(order: string): Promise<void> {
    this.#orders.write(`${order}\n`)
    const told = await Promise.race([once(this.#answers, 'data'), this.#ended])
    if (typeof told === 'string') throw new Error(`perf ended: ${told}`)
  }
}

/** What perf says of a file that it wrote. */
export async function perfReport(file: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('perf', ['report', '--stdio', '-i', file, ...args], { maxBuffer })
  return stdout
}

function lastWords(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    child.stderr?.setEncoding('utf8').on('data', (more: string) => {
      text += more
    })
    child.on('error', (error) => resolve(error.message))
    child.on('close', () => resolve(text.trim().split('\n')[0] ?? ''))
  })
}
