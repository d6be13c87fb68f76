/**
 * docs/embedding.md shows examples/embedding/tiny-rpc.ts as it is, and that passes the kit: all of it the built package.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type CallAdapter, callCases } from 'pillion/adapters/testing'
import { packValue, unpackValue } from 'pillion/rpc'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { TinyRpc } from '../../examples/embedding/tiny-rpc.js'
import { hostileAnswers } from '../adapters/support/calls.js'

const root = new URL('../../', import.meta.url)
const page = readFileSync(new URL('docs/embedding.md', root), 'utf8')
const example = readFileSync(new URL('examples/embedding/tiny-rpc.ts', root), 'utf8')

it('shows the example as it is', () => {
  expect(page).toContain(`\`\`\`ts\n${example.replace(/^\/\*\*[\s\S]*?\*\/\n/, '')}\`\`\``)
})

it('prints what the page says', () => {
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
  const { ES2022: target } = ts.ScriptTarget // `using` becomes what Node 20 knows
  const program = blocks
    .slice(0, 2)
    .join('\n')
    .replace(/^import type .*$/m, '') // the second imports it as a value
  const code = ts.transpile(program, { target, module: ts.ModuleKind.ES2022 })
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', code], { cwd: root, encoding: 'utf8' })
  expect({ stderr: run.stderr, stdout: run.stdout }).toEqual({ stderr: '', stdout: '7\n' })
})

it('has some 50 lines of code', () => {
  const lines = example.split('\n').filter((line) => !/^\s*(?:\/\*\*.*|\}?)$|^import /.test(line))
  expect(lines.length).toBeLessThanOrEqual(50)
})

describe('the RPC library of docs/embedding.md', () => {
  const adapter: CallAdapter = {
    attach: (stream, service) => new TinyRpc(stream, { ...service }),
    descriptors: 'carried',
    hostileAnswers: hostileAnswers(packValue, unpackValue),
  }
  it.each(callCases(adapter))('$name', ({ run }) => run())
})
