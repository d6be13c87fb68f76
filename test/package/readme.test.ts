/** The README's example runs as it stands there, with the built package. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const root = new URL('../../', import.meta.url)

it("runs the README's example", () => {
  const readme = readFileSync(new URL('README.md', root), 'utf8')
  const example = /```js\n([\s\S]*?)```/.exec(readme)?.[1] ?? ''
  const run = spawnSync(process.execPath, ['--input-type=module', '--eval', example], {
    cwd: root,
    encoding: 'utf8',
    timeout: 10_000,
  })
  expect({ stdout: run.stdout, stderr: run.stderr, status: run.status }).toEqual({
    stdout: expect.stringMatching(/^\/etc\/os-release, a file, begins PRETTY_NAME=/),
    stderr: '',
    status: 0,
  })
})
