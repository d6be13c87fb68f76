/**
 * Runs the tests of streams, sockets and RPC in each mode that a socket can be waited for, other than the default: with
 * edge-triggered readiness, and spinning after each wake-up (`busyPoll`). Arguments go on to vitest, folders instead of those.
 */
import { spawnSync } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const named = process.argv.slice(2)
const tests = named.length > 0 ? named : ['test/stream', 'test/transport', 'test/rpc']

const failed = []
for (const mode of ['edge', 'busyPoll']) {
  console.log(`\nMode ${mode}`)
  const config = 'test/modes/vitest.config.ts'
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--config', config, ...tests],
    {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, PILLION_TEST_MODE: mode },
    },
  )
  if (status !== 0) failed.push(mode)
}
console.log(failed.length === 0 ? '\nNo mode failed.' : `\nFailed in mode ${failed.join(', ')}.`)
process.exit(failed.length === 0 ? 0 : 1)
