/**
 * A process of a contender, as the harness sees it: orders in, lines of JSON out, each waited for, but not for ever.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Answer, Metrics } from '../roles/setting.js'

const patience = 60_000

export class Child {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: Answer[] = []
  #taker: ((answer: Answer) => void) | undefined
  #stderr = ''

  constructor([command = '', ...args]: readonly string[]) {
    this.#child = spawn(command, args, { stdio: 'pipe' })
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(answerIn(line)))
    this.#child.stdin.on('error', () => {}) // it has ended: the next answer says so
    this.#child.on('error', (error) => this.#take({ failure: error.message }))
    this.#child.on('close', (code, signal) => this.#take({ failure: this.#lastWords(code ?? signal) }))
  }

  /** taskset has become it. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('it could not be started')
    return this.#child.pid
  }

  /** Resolves when it can be told what to do. */
  async ready(): Promise<void> {
    await this.#answer()
  }

  /** Rejects with an Error whose message says what failed. */
  async tell(order: string, argument: number): Promise<Metrics> {
    this.#child.stdin.write(`${order} ${argument}\n`)
    const answer = await this.#answer()
    if ('metrics' in answer) return answer.metrics
    throw new Error(`no metrics came: ${JSON.stringify(answer)}`)
  }

  end(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return resolve()
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), 2000)
      this.#child.on('close', () => {
        clearTimeout(timer)
        resolve()
      })
      this.#child.stdin.end()
      return undefined
    })
  }

  async #answer(): Promise<Answer> {
    const answer = this.#answers.shift() ?? (await this.#next())
    if ('failure' in answer) throw new Error(answer.failure)
    return answer
  }

  #next(): Promise<Answer> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#take({ failure: `no answer within ${patience / 1000} s` }), patience)
      this.#taker = (answer) => {
        clearTimeout(timer)
        resolve(answer)
      }
    })
  }

  #take(answer: Answer): void {
    const taker = this.#taker
    this.#taker = undefined
    if (taker === undefined) this.#answers.push(answer)
    else taker(answer)
  }

  #lastWords(code: number | string | null): string {
    const line = this.#stderr.split('\n').find((text) => /error/i.test(text)) ?? this.#stderr.split('\n')[0] ?? ''
    return `ended (${code}) ${line.trim()}`.trim()
  }
}

function answerIn(line: string): Answer {
  try {
    return JSON.parse(line) as Answer
  } catch {
    return { failure: `printed ${line}` }
  }
}
