/** Writes what became of each test, and whether it made a connection over pillion, to the file that PEER_SUITES_RESULTS names. */
import { writeFileSync } from 'node:fs'
import type { Reporter, TestCase, TestModule } from 'vitest/node'

export interface Outcome {
  readonly title: string
  readonly state: string
  readonly overPillion: boolean
  readonly error: string
}

export default class PeerSuitesReporter implements Reporter {
  readonly #outcomes: Outcome[] = []

  onTestCaseResult(test: TestCase): void {
    const { state, errors = [] } = test.result()
    const { overPillion = false } = test.meta()
    this.#outcomes.push({
      title: test.fullName,
      state,
      overPillion,
      error: errors.map(({ message }) => message).join('; '),
    })
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const { message } of module.errors()) {
        this.#outcomes.push({ title: module.relativeModuleId, state: 'failed', overPillion: true, error: message })
      }
    }
    if (process.env.PEER_SUITES_RESULTS) writeFileSync(process.env.PEER_SUITES_RESULTS, JSON.stringify(this.#outcomes))
  }
}
