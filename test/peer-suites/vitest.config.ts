/**
 * The run of one library's own tests: main.ts says which, by the environment. What they import of the library is what is
 * installed here, what they import as their transport is the double.
 */
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, relative, resolve } from 'node:path'
import { defineConfig, type Plugin } from 'vitest/config'
import { folderOf } from './sources.js'
import { type Edit, type Suite, suites } from './suites.js'

const suite = suites.find(({ name }) => name === process.env.PEER_SUITES_NAME)
if (suite === undefined) throw new Error('PEER_SUITES_NAME names no suite')
const root = folderOf(suite)
const here = (file: string) => resolve(import.meta.dirname, file)
const source = (entry: string) => here(`../../src/${entry}/index.ts`)

export default defineConfig({
  root,
  plugins: [substitutes(suite)],
  resolve: {
    alias: [
      { find: /^pillion$/, replacement: source('stream') },
      { find: /^pillion\/(.*)$/, replacement: source('$1') },
      { find: new RegExp(`^${suite.library}(?=/|$)`), replacement: process.env.PEER_SUITES_LIBRARY ?? suite.library },
    ],
  },
  test: {
    include: [...suite.files],
    exclude: [],
    pool: 'forks',
    maxWorkers: 1,
    execArgv: ['--expose-gc'],
    setupFiles: [here('browser.ts'), ...(suite.mocha ? [here('mocha.ts')] : [])],
    reporters: [here('reporter.ts')],
    testTimeout: suite.testTimeout ?? 20_000,
    hookTimeout: 20_000,
  },
})

/** Puts our files in place of those that the tests import, and our words in place of theirs. */
function substitutes({ imports, double, edits = [] }: Suite): Plugin {
  const builtins = Object.keys(imports).filter(isBuiltin)
  const ours: Record<string, string | true> = { ...imports, 'peer-suites:double': true }
  return {
    name: 'peer-suites',
    enforce: 'pre',
    async resolveId(specifier, importer) {
      if (importer === undefined || !importer.startsWith(root)) return undefined
      const instead = ours[specifier]
      if (instead === true) return here(`doubles/${double}.ts`)
      if (instead !== undefined) return await this.resolve(instead, here('vitest.config.ts'))
      // Paths from the repository's top, as its own tsconfig.json would have them.
      if (/^(src|test)\//.test(specifier)) return await this.resolve(join(root, specifier), importer)
      return undefined
    },
    load(id) {
      if (!id.startsWith(root)) return undefined
      const file = relative(root, id)
      const text = readFileSync(id, 'utf8')
      const own = edits.filter((edit) => edit.file === file)
      return own.reduce(edited, builtins.reduce(withDouble, text))
    },
  }
}

/** A module of Node's own is not asked for: vitest takes it before any plugin can. */
function withDouble(text: string, builtin: string): string {
  return text.replace(new RegExp(`(?<=from )(['"])${builtin}\\1`), "'peer-suites:double'")
}

function edited(text: string, { file, find, replacement }: Edit): string {
  const changed = text.replace(find, replacement)
  if (changed === text) throw new Error(`${find} is not in ${file}: is it another version?`)
  return changed
}
