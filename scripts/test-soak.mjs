/**
 * Runs the RPC's conformance scenarios and random programs for longer than the suite has time for: more orders of each
 * scenario whose orders are not all tried anyway, more random programs, more losses of connections.
 *
 * PILLION_ORDERS and PILLION_PROGRAMS, if they are set, say how many; arguments go on to vitest. package.json builds both
 * addon and dist before.
 */
import { spawnSync } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const counts = { PILLION_ORDERS: '20000', PILLION_PROGRAMS: '20000' }
const vitest = resolve(root, 'node_modules/vitest/vitest.mjs')
const { status } = spawnSync(process.execPath, [vitest, 'run', 'test/rpc/conformance', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...counts, ...process.env },
})
process.exit(status ?? 1)
