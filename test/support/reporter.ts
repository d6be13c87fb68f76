/**
 * The run's last line, in plain words: `N passed, N failed`, and `, N skipped` if any were.
 *
 * It also writes the counts to a file in the folder that PILLION_TEST_RESULTS names, for .ci/run to add up. With
 * CI=true a skipped test fails the run: on a machine that has all that the tests need, a skip hides something.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

export default class PlainReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    for (const module of modules) count(module, counts)

    if (counts.skipped > 0 && process.env.CI === 'true') {
      process.exitCode = 1
      console.log('With CI=true nothing may be skipped: this run has failed.')
    }
    const results = process.env.PILLION_TEST_RESULTS
    if (results) {
      mkdirSync(results, { recursive: true })
      writeFileSync(join(results, `${randomUUID()}.json`), JSON.stringify(counts))
    }
    const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`
    console.log(`${counts.passed} passed, ${counts.failed} failed${skipped}`)
  }
}

function count(module: TestModule, counts: { passed: number; failed: number; skipped: number }): void {
  const failedBefore = counts.failed
  for (const test of module.children.allTests()) {
    const result = test.result()
    if (result.state === 'passed') counts.passed++
    // Still pending: its process died, or the run was broken off.
    else if (result.state === 'failed' || result.state === 'pending') counts.failed++
    else {
      counts.skipped++
      console.log(`skipped: ${module.relativeModuleId} > ${test.fullName}${result.note ? ` [${result.note}]` : ''}`)
    }
  }
  // A file that could not be loaded, or whose own hooks failed, has no failed test to show for it.
  if (counts.failed === failedBefore && module.state() === 'failed') counts.failed++
}
