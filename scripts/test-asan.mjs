/**
 * Runs the tests with the addon under AddressSanitizer and UndefinedBehaviorSanitizer.
 *
 * In a copy of the project whose addon is the sanitized one: tests, and the children that they start, find it where
 * they always look, and nothing in the package needs a switch for it. A report aborts the process that caused it and is
 * kept in a file: it fails the run also where a test expects its child to die. Arguments go on to vitest; `-- test` is all of them.
 * package.json builds both addon and dist before.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
/** What looks at files that are not in the copy, or at the allocator, which the sanitizers replace. */
const ELSEWHERE = ['test/package/**', 'test/lint/**', 'test/support/**', 'test/stream/freed-memory.test.ts']
/** What meets native code only by ways that the other tests go as well, and takes long. Run if it is named. */
const ABOVE = [
  'test/adapters/{birpc,capn,comlink,frame-port,real,testing,vscode}*',
  'test/bench/**',
  'test/docs/**',
  'test/examples/{calculator,demo,file-broker,usual-ways}*',
  'test/framing/**',
  'test/rpc/{conformance,values}/**',
  'test/rpc/{message-limits,types,types-of-capabilities,types-of-dist}.test.ts',
]

const copy = mkdtempSync(join(tmpdir(), 'pillion-asan-'))
const reports = join(copy, 'sanitizer-reports')
let status = 1
try {
  copyProject()
  status = runTests()
  if (printReports() > 0) status = 1
} finally {
  rmSync(copy, { recursive: true, force: true })
}
process.exit(status)

function copyProject() {
  // Tests have children that run as another user: they read the copy, and write their reports.
  chmodSync(copy, 0o755)
  mkdirSync(reports)
  chmodSync(reports, 0o777)
  const leftOut = new Set(['node_modules', '.git', '.dist-next', '.dist-old', 'build'])
  const filter = (source) => !leftOut.has(basename(source))
  for (const name of readdirSync(root)) {
    if (!leftOut.has(name)) cpSync(join(root, name), join(copy, name), { recursive: true, filter })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  mkdirSync(join(copy, 'native', 'build', 'Release'), { recursive: true })
  cpSync(
    join(root, 'native', 'build', 'Debug', 'pillion.node'),
    join(copy, 'native', 'build', 'Release', 'pillion.node'),
  )
}

function runTests() {
  const runtime = execFileSync('gcc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim()
  const named = process.argv.slice(2)
  const excluded = named.length > 0 ? ELSEWHERE : [...ELSEWHERE, ...ABOVE]
  const exclude = excluded.flatMap((pattern) => ['--exclude', pattern])
  const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...exclude, ...named], {
    cwd: copy,
    stdio: 'inherit',
    env: {
      ...process.env,
      // Node itself is not sanitized, so the runtime has to be there before it.
      LD_PRELOAD: runtime,
      ASAN_OPTIONS: [
        // Node never frees all that it has, and V8 handles some faults itself.
        'detect_leaks=0:allow_user_segv_handler=1',
        // Undefined behaviour is compiled to a trap (native/binding.gyp).
        'handle_sigill=1',
        'abort_on_error=1:disable_coredump=1',
        `log_path=${join(reports, 'report')}`,
      ].join(':'),
    },
  })
  return status ?? 1
}

function printReports() {
  const names = readdirSync(reports)
  for (const name of names) process.stderr.write(`\n${name}\n${readFileSync(join(reports, name), 'utf8')}\n`)
  if (names.length > 0) console.log(`The sanitizers complain of ${names.length} process(es): this run has failed.`)
  return names.length
}
