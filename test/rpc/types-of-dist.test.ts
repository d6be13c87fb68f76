/**
 * The types as the package has them: the tests of types hold for the emitted declarations too, for `import` and for
 * `require`, and so does the program that docs/rpc.md is.
 *
 * Works on the built dist (pretest builds it).
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

test('hold for import and for require, and for the page', { timeout: 120_000 }, async () => {
  expect(await complaintsOf(['types', 'types-of-capabilities'])).toBe('')
})

async function complaintsOf(names: readonly string[]): Promise<string> {
  const consumer = mkdtempSync(join(tmpdir(), 'pillion-types-'))
  onTestFinished(() => rmSync(consumer, { recursive: true }))
  mkdirSync(join(consumer, 'node_modules'))
  for (const name of ['@types', 'vitest']) {
    symlinkSync(join(root, 'node_modules', name), join(consumer, 'node_modules', name))
  }
  symlinkSync(root, join(consumer, 'node_modules', 'pillion'))
  for (const name of names) {
    const source = readFileSync(join(import.meta.dirname, `${name}.test.ts`), 'utf8')
      .replace('../../src/rpc/index.js', 'pillion/rpc')
      .replace('../../src/stream/index.js', 'pillion')
    expect(source).not.toContain('src/')
    writeFileSync(join(consumer, `${name}.mts`), source)
    writeFileSync(join(consumer, `${name}.cts`), source)
  }
  const page = readFileSync(join(root, 'docs/rpc.md'), 'utf8')
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block)
  expect(blocks.length).toBeGreaterThan(5)
  writeFileSync(join(consumer, 'page.mts'), blocks.join('\n'))
  const compilerOptions = {
    target: 'ES2022',
    lib: ['ES2022', 'ESNext.Disposable'],
    module: 'NodeNext',
    moduleResolution: 'NodeNext',
    strict: true,
    skipLibCheck: true, // vitest's own; package.test.ts checks ours
    noEmit: true,
    types: ['node'],
  }
  writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  return promisify(execFile)(process.execPath, [tsc, '-p', consumer]).then(
    () => '',
    (error: { stdout: string; stderr: string }) => `${error.stdout}${error.stderr}` || 'tsc failed',
  )
}
