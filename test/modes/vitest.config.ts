/**
 * The run in another mode: the tests of streams, sockets and RPC, with another default for an option that changes how a socket is
 * waited for. The mode is PILLION_TEST_MODE's: scripts/test-modes.mjs.
 */
import { defineConfig, mergeConfig, type Plugin } from 'vitest/config'
import main from '../../vitest.config.js'

const modes: Record<string, readonly [default_: string, instead: string]> = {
  edge: ["readiness = 'level'", "readiness = 'edge'"],
  busyPoll: ['options.busyPoll ?? 0', 'options.busyPoll ?? 50'],
}

const mode = process.env.PILLION_TEST_MODE ?? ''
const change = modes[mode]
if (change === undefined) throw new Error(`PILLION_TEST_MODE is one of ${Object.keys(modes).join(', ')}, not '${mode}'`)

const changeDefault: Plugin = {
  name: 'pillion-test-mode',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('/src/transport/socket-options.ts')) return undefined
    const [usual, instead] = change
    if (code.split(usual).length !== 2) throw new Error(`'${usual}' is not once in ${id}`)
    return { code: code.replace(usual, instead), map: null }
  },
}

const config = mergeConfig(main, defineConfig({ plugins: [changeDefault] }))
// Ahead of the others, which look at what is open.
config.test = { ...config.test, setupFiles: ['test/modes/setup.ts', 'test/support/setup.ts'] }
export default config
