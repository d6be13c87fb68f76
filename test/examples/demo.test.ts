/**
 * The demo runs, its counts are right, and its exit code tells when something went wrong.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { programAt } from '../support/programs.js'

const root = resolve(import.meta.dirname, '../..')

test('the demo checks and hashes every file, and ends well with nothing misassigned, lost or leaked', async () => {
  const { folder, contents } = makeFolder()
  const { status, output, counts } = await runDemo(folder)

  expect(output).toContain(`may read it: ${contents.size} files`)
  expect(output).toContain('4 paths: 4 refused (ERR_ACCESS_DENIED)')
  expect(counts).toMatchObject({ misassigned: 0, lost: 0, leaked: 0 })
  expect(counts.frames).toBeGreaterThan(contents.size)
  expect(counts.descriptors).toBeGreaterThan(contents.size + 300)
  expect(output).toContain(digestOf(contents))
  expect(status).toBe(0)
})

test('the demo reports losses to a full table by the frames that had them, and misassigns nothing', async () => {
  const { folder } = makeFolder()
  const { output } = await runDemo(folder)
  const [ours] = tableRow(output.slice(output.indexOf('Once more into a full descriptor table')), /^pillion .*$/m)
  const [misassigned, missing, saidSo] = ours.match(/\d[\d,]*/g)!.map(asNumber)

  expect(misassigned).toBe(0)
  expect(missing).toBeGreaterThan(0)
  expect(saidSo).toBe(missing)
})

test.each([
  ['swap', { misassigned: 2, lost: 0, leaked: 0 }, '2 × misassigned descriptor'],
  ['lose', { misassigned: 0, lost: 1, leaked: 0 }, '1 × lost descriptor'],
  ['leak', { misassigned: 0, lost: 0, leaked: 1 }, 'the worker leaked descriptor'],
])('the demo ends with exit code 1 when something is wrong on purpose: %s', async (sabotage, expected, complaint) => {
  const { folder } = makeFolder()
  const { status, output, counts } = await runDemo(folder, '--sabotage', sabotage)

  expect(counts).toMatchObject(expected)
  expect(output.slice(output.indexOf('FAILED:'))).toContain(complaint)
  expect(status).toBe(1)
})

test('the demo ends with exit code 1 when there is no file to read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const { status, output } = await runDemo(folder)

  expect(output).toContain('no file to read')
  expect(status).toBe(1)
})

/** Files large, small and empty, in folders and beside what is no regular file. */
function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'below', 'further'), { recursive: true })
  const contents = new Map<string, Buffer>([
    ['empty', Buffer.alloc(0)],
    ['below/large', Buffer.alloc(1_500_000, 'large')],
    ['below/further/ü', Buffer.from('a name of two bytes')],
  ])
  for (let i = 0; i < 30; i++) contents.set(`below/file ${i}`, Buffer.from(`number ${i}`))
  for (const [path, content] of contents) writeFileSync(join(folder, path), content)
  symlinkSync('/etc/passwd', join(folder, 'link'))
  return { folder, contents }
}

function digestOf(contents: ReadonlyMap<string, Buffer>): string {
  const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest('hex')
  const lines = [...contents].map(([path, content]) => `${sha256(content)}  ${path}\n`)
  return sha256(lines.sort().join(''))
}

interface Demo {
  readonly status: number | null
  readonly output: string
  /** The table of the first run. */
  readonly counts: Record<string, number>
}

function runDemo(...args: string[]): Promise<Demo> {
  return new Promise((settle) => {
    const child = execFile(
      process.execPath,
      [...programAt(join(root, 'examples/privilege-separation/main.ts')), ...args],
      { cwd: root, encoding: 'utf8' },
      (_error, stdout, stderr) => {
        settle({ status: child.exitCode, output: stdout + stderr, counts: countsOf(stdout) })
      },
    )
  })
}

function countsOf(output: string): Record<string, number> {
  const [, names, numbers] = output.match(/^( *frames .*)\n(.*)$/m) ?? []
  const columns = names?.trim().split(/\s{2,}/) ?? []
  const cells = numbers?.trim().split(/\s{2,}/) ?? []
  return Object.fromEntries(columns.map((column, i) => [column, asNumber(cells[i] ?? '')]))
}

function tableRow(output: string, row: RegExp): [string] {
  const found = output.match(row)
  if (found === null) throw new Error(`no row ${row} in:\n${output}`)
  return [found[0]]
}

function asNumber(text: string): number {
  return Number(text.replaceAll(',', ''))
}
