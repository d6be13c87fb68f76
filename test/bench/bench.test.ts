/** npm run bench, end to end on a tiny run: well-formed rows, and rows that say what failed. No time is asserted. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { failedRow, rowOf } from '../../bench/harness/rows.js'
import { benchOptions, HelpAsked } from '../../bench/options.js'
import { countsOf } from '../../bench/profile/counts.js'
import { sharesOf } from '../../bench/profile/layers.js'
import { filled, profilesOf, sectionsOf } from '../../bench/report/page.js'
import { verdictsOf } from '../../bench/report/verdicts.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

it('measures two contenders in turn, and writes a row for each metric', async () => {
  const { stdout, rows } = await bench(['--only', 'W1same', '--contenders', 'net-onread,pillion'])

  expect(rows.map(({ contender, metric, unit, rounds }) => [contender, metric, unit, rounds])).toEqual([
    ['net-onread', 'p50', 'µs', 2],
    ['net-onread', 'p99', 'µs', 2],
    ['pillion', 'p50', 'µs', 2],
    ['pillion', 'p99', 'µs', 2],
  ])
  for (const { workload, median, min, max, machine, kernel, node } of rows) {
    expect(workload).toBe('W1same')
    expect(min).toBeGreaterThan(0)
    expect(median).toBeGreaterThanOrEqual(min)
    expect(max).toBeGreaterThanOrEqual(median)
    expect([machine, kernel, node].every((text) => text.length > 0)).toBe(true)
  }
  expect(stdout).toMatch(/pillion p50 +\| node:net's best \(net-onread\) +\| +\d/)
})

it('counts frames one way, and calls', async () => {
  const { rows } = await bench(['--only', 'W2,W6c', '--contenders', 'pillion'])

  expect(rows.map(({ workload, metric, unit }) => [workload, metric, unit])).toEqual([
    ['W2', 'frames', 'frames/s'],
    ['W6c', 'calls', 'calls/s'],
  ])
})

it('has rows that say why where there is nothing to measure with, in each view', async () => {
  const { stdout, rows } = await bench(['--only', 'W1same,W1awake', '--contenders', 'pillion'], { PATH: '/nowhere' })

  expect(rows.map(({ workload, metric, median }) => [workload, metric, median])).toEqual([
    ['W1same', 'p50', null],
    ['W1same', 'p99', null],
    ['W1awake', 'p50', null],
    ['W1awake', 'p99', null],
  ])
  for (const { failed } of rows) expect(failed).toMatch(/taskset|gcc/)
  expect(stdout).toMatch(/pillion p50 +\| c-epoll +\| +– \| +≤ 1\.7 \| not measured/)
})

it('takes a reference that failed for no reference', () => {
  const verdicts = verdictsOf([rowOf('W6psame', 'pillion', 'p50', [3, 1, 2]), rowOf('W6psame', 'capnweb', 'p50', [10])])

  expect(verdicts.map(({ ratio, met }) => [ratio, met])).toEqual([
    [0.2, true],
    [undefined, undefined],
  ])
})

it('names what failed beside the best of the rest', () => {
  const rows = [
    rowOf('W3', 'pillion', 'bytes', [9]),
    rowOf('W3', 'c-epoll', 'bytes', [10]),
    failedRow('W3', 'c-blocking', 'bytes', 'gone'),
  ]

  expect(verdictsOf(rows).map(({ reference, ratio }) => [reference, ratio])).toContainEqual([
    "C's best (c-epoll; failed: c-blocking)",
    0.9,
  ])
})

it('writes a run into a page, between its markers, and nothing else', () => {
  const page = readFileSync(join(root, 'docs/performance.md'), 'utf8')
  const written = filled(
    page,
    'bench',
    sectionsOf([rowOf('W2', 'pillion', 'frames', [5e6])], (file) => file === 'w2.svg'),
  )

  expect(written).toContain('### W2: one way, frames of 64 B\n\n![one way, frames of 64 B](performance/w2.svg)')
  expect(written).toMatch(/\| pillion +\| frames +\| 5\.00 M \|/)
  expect(filled(written, 'bench', '')).toBe(filled(page, 'bench', ''))
})

it('tells of a profile whose time is whose, and what an operation calls', () => {
  const { shares, ...counted } = {
    shares: sharesOf(
      [
        '# Overhead|Shared Object|Symbol',
        '50.00%|[kernel.kallsyms]|[k] unix_stream_sendmsg',
        '20.00%|node            |[.] v8::internal::Scavenger::Process',
        '15.00%|node            |[.] Builtins_LoadIC',
        '10.00%|[JIT] tid 7     |[.] 0x00007fa868032',
        ' 5.00%|pillion.node    |[.] pillion::Socket::Fill',
      ].join('\n'),
    ),
    ...countsOf(
      '2.50,msec,task-clock,1,100.00,,\n7,,raw_syscalls:sys_enter,1,100.00,,\n4,,syscalls:sys_enter_sendto,1,100.00,,\n',
    ),
  }

  expect(shares.layers).toEqual({
    kernel: 0.5,
    libc: 0,
    'Node, V8': 0,
    collector: 0.2,
    JavaScript: 0.25,
    native: 0.05,
  })
  expect(shares.most[0]).toEqual(['unix_stream_sendmsg', 0.5])
  expect(counted).toEqual({ nanoseconds: 2.5e6, faults: 0, switches: 0, calls: { sendto: 4, others: 3 } })

  const profile = { workload: 'W2', contender: 'pillion', end: 'server', value: 5e6, shares }
  const written = filled(
    readFileSync(join(root, 'docs/performance.md'), 'utf8'),
    'profiles',
    profilesOf([{ ...profile, ...counted }]),
  )
  expect(written).toMatch(/\| pillion +\| server +\| 5\.00 M \| 2\.50 ms \| +50 % \|.*\| 4\.0 sendto, 3\.0 others \|/)
})

it('profiles nobody where perf is not there, and says so', async () => {
  const { stderr, stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', 'bench/profile.ts', '--only', 'W2', '--contenders', 'pillion', '--milliseconds', '20'],
    { cwd: root, env: { ...process.env, PATH: pathWith('taskset') } },
  )

  expect(stderr).toContain('perf ended: spawn perf ENOENT')
  expect(stdout).toContain('none')
})

it('says what is wrong with its command line', () => {
  expect(() => benchOptions(['--only', 'W99'])).toThrow('no workload W99')
  expect(() => benchOptions(['--contenders', 'nobody'])).toThrow('no contender nobody')
  expect(() => benchOptions(['--rounds', 'many'])).toThrow('--rounds is a whole number')
  expect(() => benchOptions(['--only', ''])).toThrow('no workload')
  expect(() => benchOptions(['--help'])).toThrow(HelpAsked)
  expect(benchOptions(['--only', 'W3']).workloads.map(({ id }) => id)).toEqual(['W3'])
  expect(benchOptions(['--only', 'W1']).workloads.map(({ id }) => id)).toEqual(['W1same', 'W1awake', 'W1busy'])
})

/** A folder in which there is this program alone. */
function pathWith(program: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-bench-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  symlinkSync(execFileSync('which', [program], { encoding: 'utf8' }).trim(), join(folder, program))
  return folder
}

interface MeasuredRow {
  readonly workload: string
  readonly contender: string
  readonly metric: string
  readonly unit: string
  readonly median: number
  readonly min: number
  readonly max: number
  readonly rounds: number
  readonly machine: string
  readonly kernel: string
  readonly node: string
  readonly failed?: string
}

async function bench(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ stdout: string; rows: MeasuredRow[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'pillion-bench-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const json = join(folder, 'rows.json')
  const tiny = ['--rounds', '2', '--milliseconds', '20', '--json', json]
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', 'tsx', 'bench/main.ts', ...args, ...tiny],
    { cwd: root, env: { ...process.env, ...env } },
  )
  return { stdout, rows: JSON.parse(readFileSync(json, 'utf8')) as MeasuredRow[] }
}
