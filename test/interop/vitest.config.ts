/**
 * The run against real peers: as the main run, but with patience for other people's programs, and without dist: what the
 * examples import as `pillion` are the sources, of which there must be one copy.
 */
import { resolve } from 'node:path'
import { defineConfig, mergeConfig } from 'vitest/config'
import main from '../../vitest.config.js'

const source = (entry: string) => resolve(import.meta.dirname, `../../src/${entry}/index.ts`)

const config = mergeConfig(
  main,
  defineConfig({
    resolve: {
      alias: [
        { find: /^pillion$/, replacement: source('stream') },
        { find: /^pillion\/(framing|transport)$/, replacement: source('$1') },
      ],
    },
    test: { testTimeout: 60_000, hookTimeout: 60_000 },
  }),
)
// Replaced, not merged: the main run leaves out what this one runs.
config.test = { ...config.test, include: ['test/interop/*.test.ts'], exclude: [] }
export default config
