/**
 * The examples of docs/rpc.md are one program: it runs with the built package, and prints what the page says. The page's
 * limits are those that the code has.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { defaultLimits } from 'pillion/rpc'
import ts from 'typescript'
import { expect, it } from 'vitest'

const root = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/rpc.md', root), 'utf8')

it('prints what the page says', () => {
  const program = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block).join('\n')
  const expected = [...program.matchAll(/\/\/ (→ .*)$/gm)].flatMap(([, said = '']) => said.split('→ ').slice(1))
  const { ES2022: target } = ts.ScriptTarget // `using` becomes what Node 20 knows
  const code = ts.transpile(program, { target, module: ts.ModuleKind.ES2022 })
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: root,
    encoding: 'utf8',
    timeout: 15_000,
  })
  expect({ stderr: run.stderr, status: run.status, stdout: run.stdout.trimEnd().split('\n') }).toEqual({
    stderr: '',
    status: 0,
    stdout: expected.map((line) => line.trim()),
  })
})

it('has the defaults of all limits', () => {
  const { depth, values, queuedBytes, callBytes, ...counts } = defaultLimits
  for (const [name, limit] of Object.entries(counts)) {
    expect(page).toContain(`| \`${name}\` | ${limit.toLocaleString('en')} |`)
  }
  for (const [name, limit] of Object.entries({ queuedBytes, callBytes })) {
    expect(page).toContain(`| \`${name}\` | ${limit / 1024 / 1024} MiB |`)
  }
  expect(page).toContain(`| \`depth\`, \`values\` | ${depth}, ${values.toLocaleString('en')} |`)
})

it('says something of every name that can be imported', () => {
  const index = readFileSync(new URL('src/rpc/index.ts', root), 'utf8')
  const names = [...index.matchAll(/\{([^}]*)\}/g)].flatMap(([, list = '']) => list.match(/\b(?!type\b)\w+/g) ?? [])
  expect(names.length).toBeGreaterThan(30)
  expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(page))).toEqual([])
})
