/** A process of this example, and what it reports. */
import { type ChildProcess, fork } from 'node:child_process'
import { join, parse } from 'node:path'
import type { Report } from './handover.js'

type Kind = Report['report']

export class Program {
  /** Its exit code; null if a signal ended it. */
  readonly exited: Promise<number | null>
  readonly #name: string
  readonly #child: ChildProcess
  #reports: Report[] = []
  #ended = false
  #wake = (): void => {}

  constructor(name: 'server' | 'load', args: readonly string[]) {
    this.#name = name
    const { dir, ext } = parse(import.meta.filename)
    this.#child = fork(join(dir, `${name}${ext}`), args) // by tsx, if this process is
    this.#child.on('message', (report) => {
      this.#reports.push(report as Report)
      this.#wake()
    })
    this.exited = new Promise((resolve) => {
      // Behind its last report.
      this.#child.on('close', (code) => {
        this.#ended = true
        this.#wake()
        resolve(code)
      })
    })
  }

  /** The next report of this kind. Rejects if the process ends without one. */
  async next<K extends Kind>(kind: K): Promise<Extract<Report, { report: K }>> {
    for (;;) {
      const found = this.#reports.findIndex(({ report }) => report === kind)
      if (found >= 0) return this.#reports.splice(found, 1)[0] as Extract<Report, { report: K }>
      if (this.#ended) throw new Error(`a process (${this.#name}) ended without a report of '${kind}'`)
      await new Promise<void>((wake) => {
        this.#wake = wake
      })
    }
  }

  /** Forgets reports of this kind that are there already. */
  drop(kind: Kind): void {
    this.#reports = this.#reports.filter(({ report }) => report !== kind)
  }

  send(message: string): void {
    this.#child.send(message)
  }

  terminate(): void {
    this.#child.kill('SIGTERM')
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
