/**
 * How the tests run: each file in a process of its own, with the collector in reach, leaks looked for after each test.
 *
 * One process per file keeps descriptor tables apart; within a file tests run one at a time (never `concurrent`),
 * or the leak check could not say whose a descriptor is.
 */
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/fixtures/**', 'test/interop/**'],
    pool: 'forks',
    // Tests wait more than they compute: two files at a time do well even on two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    execArgv: ['--expose-gc'],
    globalSetup: ['test/support/python.ts'],
    setupFiles: ['test/support/setup.ts'],
    reporters: ['default', './test/support/reporter.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    passWithNoTests: false,
  },
})
