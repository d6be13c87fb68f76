/**
 * Every adapter has a page, docs/adapters/NAME.md, which docs/adapters.md leads to. Its first example is
 * examples/adapters/NAME.ts as it is, in 15 lines; that runs with the built package and prints what it says behind `→`.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { bundleOf } from '../support/programs.js'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const adapters = readdirSync(new URL('src/adapters/', root))
  .filter((name) => name.endsWith('.ts') || existsSync(new URL(`src/adapters/${name}/index.ts`, root)))
  .map((name) => name.replace(/\.ts$/, ''))
  .filter((name) => name !== 'testing')

describe.each(adapters)('the adapter %s', (name) => {
  const page = existsSync(new URL(`docs/adapters/${name}.md`, root)) ? read(`docs/adapters/${name}.md`) : ''
  const [, shown = ''] = /^```ts\n([\s\S]*?)^```$/m.exec(page) ?? []

  it('has a row in the table of docs/adapters.md, and a page', () => {
    expect(read('docs/adapters.md')).toContain(`| [${name}](adapters/${name}.md) |`)
    expect(page).toMatch(`# \`pillion/adapters/${name}\``)
  })

  it('shows its example as it is, in no more than 15 lines', () => {
    expect(read(`examples/adapters/${name}.ts`)).toMatch(/^\/\*\*/)
    expect(read(`examples/adapters/${name}.ts`).replace(/^\/\*\*[\s\S]*?\*\/\n/, '')).toBe(shown)
    const lines = shown.split('\n').filter((line) => !/^$|^import /.test(line))
    expect(lines.length).toBeLessThanOrEqual(15)
  })

  it('has an example that prints what it says', () => {
    const said = [...shown.matchAll(/\/\/ → (.*)$/gm)].map(([, line = '']) => line)
    // With no paths of ours, so that `pillion` is what users import.
    const code = bundleOf(fileURLToPath(new URL(`examples/adapters/${name}.ts`, root)), ['--tsconfig-raw={}'])
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
      cwd: root,
      encoding: 'utf8',
      timeout: 15_000,
    })
    expect({ stderr: run.stderr, status: run.status, stdout: run.stdout.trimEnd().split('\n') }).toEqual({
      stderr: '',
      status: 0,
      stdout: said,
    })
  })
})
