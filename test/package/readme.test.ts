/** The README's examples run as they stand there, with the built package. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const root = new URL('../../', import.meta.url)

const readme = readFileSync(new URL('README.md', root), 'utf8')
const examples = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code]) => code ?? '')

it.each([
  ['of frames', 0, /^\/etc\/os-release, a file, begins PRETTY_NAME=/],
  ['of RPC', 1, /^a file, begins PRETTY_NAME=/],
])("runs the README's example %s", (_what, index, output) => {
  const example = examples[index] ?? ''
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', example], {
    cwd: root,
    encoding: 'utf8',
    timeout: 10_000,
  })
  expect({ stdout: run.stdout, stderr: run.stderr, status: run.status }).toEqual({
    stdout: expect.stringMatching(output),
    stderr: '',
    status: 0,
  })
})
