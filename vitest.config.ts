/**
 * How the tests run: with the collector in reach, leaks looked for after each test, and one file at a time in a process.
 *
 * Most files have a process of their own, whose descriptor table, memory and modules no other has touched. Those that need
 * none of it share two, one file after the other: starting one, and loading and warming up pillion in it, takes longer
 * than what most of them do. Within a file tests run one at a time (never `concurrent`), or the leak check could not say
 * whose a descriptor is.
 */
import { availableParallelism } from 'node:os'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

/**
 * What needs nothing of its process but that no descriptor is left open in it. No file that mocks: a module that others have
 * loaded is there already. Not the rest of test/rpc, test/docs and test/adapters: sharing with them, files fail that do not alone.
 */
const SHARING = ['test/{framing,rpc/hostile,rpc/values}/**/*.test.ts']
/** vitest's own `--exclude` does not reach projects: PILLION_TESTS_WITHOUT has patterns for it, apart by spaces. */
const WITHOUT = process.env.PILLION_TESTS_WITHOUT?.split(' ') ?? []
const NO_TESTS = ['**/node_modules/**', '**/fixtures/**', 'test/interop/**', ...WITHOUT]

/** Of every project, and of the runs that have none (test/interop, test/support/fixtures). */
const each = {
  pool: 'forks',
  execArgv: ['--expose-gc'],
  setupFiles: ['test/support/setup.ts'],
  testTimeout: 20_000,
  hookTimeout: 20_000,
} as const satisfies ViteUserConfig['test']

export default defineConfig({
  test: {
    ...each,
    projects: [
      { test: { ...each, name: 'alone', include: ['test/**/*.test.ts'], exclude: [...NO_TESTS, ...SHARING] } },
      { test: { ...each, name: 'sharing', include: SHARING, exclude: NO_TESTS, isolate: false } },
    ],
    // Tests wait more than they compute: two files at a time do well even on two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    globalSetup: ['test/support/python.ts'],
    reporters: ['default', './test/support/reporter.ts'],
    passWithNoTests: false,
  },
})
