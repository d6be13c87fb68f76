/**
 * The checks are checked: what must be caught is caught, by the look itself and by whole runs over bad tests.
 */
import { execFile } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { describeLeak, findLeak, openDescriptors } from './open-descriptors.js'

describe('the look for leaks', () => {
  test('finds a descriptor that was opened and not closed, and names its file', async () => {
    const before = openDescriptors()
    const fd = openSync('/dev/zero', 'r')
    const leak = await findLeak(before, 20)
    closeSync(fd)

    expect(leak?.descriptors.map((descriptor) => descriptor.fd)).toEqual([fd])
    expect(leak && describeLeak(leak)).toContain(`${fd} -> /dev/zero`)
  })

  test('finds one that took the number of another', async () => {
    const first = openSync('/dev/zero', 'r')
    const before = openDescriptors()
    closeSync(first)
    const second = openSync('/dev/full', 'r')
    const leak = await findLeak(before, 20)
    closeSync(second)

    expect(second).toBe(first)
    expect(leak?.descriptors.map(({ link }) => link)).toEqual(['/dev/full'])
  })

  test('waits for one that is about to be closed', async () => {
    const before = openDescriptors()
    const fd = openSync('/dev/zero', 'r')
    setTimeout(() => closeSync(fd), 30)

    expect(await findLeak(before)).toBeUndefined()
  })

  test('does not mistake a renamed or removed file for a new one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pillion-'))
    const fd = openSync(join(folder, 'before'), 'w')
    onTestFinished(() => closeSync(fd))
    const before = openDescriptors()
    renameSync(join(folder, 'before'), join(folder, 'after'))
    const renamed = await findLeak(before, 20)
    rmSync(folder, { recursive: true })

    expect(renamed).toBeUndefined()
    expect(await findLeak(before, 20)).toBeUndefined()
  })
})

describe('a whole run', () => {
  test('fails the tests that leak and no others', async () => {
    const { status, output, lastLine } = await run('leaks')

    expect(output).toMatch(/1 descriptor\(s\) leaked:\s+\d+ -> \/dev\/zero/)
    expect(output).toMatch(/1 descriptor\(s\) leaked:\s+\d+ -> \/dev\/full/)
    expect(lastLine).toBe('2 passed, 2 failed')
    expect(status).toBe(1)
  })

  test('fails when a hook around a file leaks', async () => {
    const { status, output, lastLine } = await run('hooks')

    expect(output).toContain('after the whole file, 1 descriptor(s) leaked')
    expect(lastLine).toBe('1 passed, 1 failed')
    expect(status).toBe(1)
  })

  test('counts a file that does not load as a failure', async () => {
    const { status, lastLine } = await run('unloadable')

    expect(lastLine).toBe('0 passed, 1 failed')
    expect(status).toBe(1)
  })

  test('may skip a test whose peer is missing, says what it needs, and leaves its counts where .ci/run can add them up', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pillion-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const { status, output, lastLine } = await run('skips', { CI: '', PILLION_TEST_RESULTS: folder })

    expect(output).toContain('needs what no machine has [skipped: needs no-such-command-anywhere, Linux 999.0]')
    expect(lastLine).toBe('1 passed, 0 failed, 1 skipped')
    expect(status).toBe(0)
    const results = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
    expect(results).toEqual([{ passed: 1, failed: 0, skipped: 1 }])
  })

  test('fails for a skipped test where CI=true', async () => {
    const { status, lastLine } = await run('skips', { CI: 'true' })

    expect(lastLine).toBe('1 passed, 0 failed, 1 skipped')
    expect(status).toBe(1)
  })
})

interface Run {
  readonly status: number
  readonly output: string
  readonly lastLine: string | undefined
}

/** Runs vitest over one file of test/support/fixtures/run, with this project's settings. */
function run(fixture: string, environment: NodeJS.ProcessEnv = {}): Promise<Run> {
  const root = resolve(import.meta.dirname, '../..')
  const ours = Object.entries(process.env).filter(([name]) => !/^(VITEST|FORCE_COLOR|PILLION_)/.test(name))
  const env = { ...Object.fromEntries(ours), NO_COLOR: '1', ...environment }
  return new Promise((settle) => {
    const child = execFile(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/support/fixtures/run/vitest.config.ts', fixture],
      { cwd: root, env, encoding: 'utf8' },
      (_error, stdout, stderr) => {
        const lastLine = stdout.trimEnd().split('\n').at(-1)
        settle({ status: child.exitCode ?? -1, output: stdout + stderr, lastLine })
      },
    )
  })
}
