/**
 * The demo: a privilege-separation pair. `npm run demo [-- DIR] [--files N] [--seed N] [--sabotage swap|lose|leak]`
 *
 * A broker may read DIR; a worker may open nothing. The broker sends every file's open descriptor in a frame that names
 * it, and the worker checks what it got. This process starts both, connects them, and judges what they report: exit code
 * 1 if anything of ours was misassigned, lost, leaked or damaged. `--sabotage` does something wrong on purpose, to show
 * that the counting counts.
 */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { closeDescriptors, pairUnix } from 'pillion/transport'
import { type Run, type Sabotage, type Settings, sockets } from './orders.js'
import { buildPrograms, Program, removePrograms, repository } from './processes.js'
import { describeComparison, describeRun, describeStart } from './report.js'

const settings = readArguments()
const folder = buildPrograms()
const [broker, worker] = startBoth()
/** A set, since what leaked in one run is seen again after the next. */
const failures = new Set<string>()
try {
  await demonstrate()
  for (const program of [broker, worker]) program.stop('ask')
} catch (error) {
  failures.add((error as Error).message)
  for (const program of [broker, worker]) program.stop('kill')
} finally {
  removePrograms(folder)
}
console.log(failures.size === 0 ? '\nOurs: nothing misassigned, lost, leaked or damaged.' : '\nFAILED:')
for (const failure of failures) console.log(`  ${failure}`)
process.exitCode = failures.size === 0 ? 0 : 1

async function demonstrate(): Promise<void> {
  const { listing } = await broker.answer('broker-ready')
  const { confinement } = await worker.answer('worker-ready')
  console.log(describeStart(settings, listing, confinement))
  for (const { path, outcome } of confinement.attempts) expectZero(outcome === 'opened' ? 1 : 0, `opening of ${path}`)
  if (listing.files === 0) throw new Error(`no file to read in ${settings.directory}`)

  console.log('\nFrames and descriptors over a FrameStream, a send buffer of 9 KiB, a worker that falls behind')
  const { sent, received, brokerLeaked, workerLeaked } = await runStream(listing.files)
  const leaked = [...brokerLeaked.map(of('broker')), ...workerLeaked.map(of('worker'))]
  console.log(`\n${describeRun(sent, received, leaked)}`)
  expectZero(received.misassigned, 'misassigned descriptor')
  expectZero(received.lost, 'lost descriptor')
  expectZero(received.damaged, 'damaged frame')
  expectZero(sent.frames - received.frames, 'frame that did not arrive')
  expectZero(sent.descriptors - received.descriptors, 'descriptor that did not arrive')
  expectZero(listing.files - sent.unopened - received.hashedFiles, 'file that was not hashed')
  for (const leak of leaked) failures.add(leak)

  console.log('\nThe same frames again, and what others make of the very same reads')
  await runComparison('tap', listing.files)
  console.log('Counts keep a flat queue in step for as long as every set is whole; many formats have none.')
  console.log('\nOnce more into a full descriptor table, with pillion told not to wait for room')
  await runComparison('full-table', listing.files)
}

async function runStream(fileCount: number) {
  start('stream', fileCount)
  const { received, leaked: workerLeaked } = await worker.answer('received', ({ frames, descriptors }) => {
    console.log(`  ${frames} frames, ${descriptors} descriptors`)
  })
  const { sent, leaked: brokerLeaked } = await broker.answer('sent')
  return { sent, received, brokerLeaked, workerLeaked }
}

async function runComparison(run: Run, fileCount: number): Promise<void> {
  start(run, fileCount)
  const { comparison, leaked: workerLeaked } = await worker.answer('compared')
  const { sent, leaked: brokerLeaked } = await broker.answer('sent')
  console.log(describeComparison(comparison))
  const { misassigned, lost, reported, damaged, frames } = comparison.ours
  expectZero(misassigned, `misassigned descriptor (${run})`)
  expectZero(damaged, `damaged frame (${run})`)
  expectZero(sent.frames - frames, `frame that did not arrive (${run})`)
  // The kernel's dropping cannot be undone, but must be told, by the very frames that it struck.
  expectZero(run === 'full-table' ? lost - reported : lost, `lost descriptor (${run})`)
  for (const leak of [...brokerLeaked.map(of('broker')), ...workerLeaked.map(of('worker'))]) failures.add(leak)
}

function start(run: Run, fileCount: number): void {
  for (const program of [worker, broker]) program.order({ order: 'run', run, fileCount })
}

/** A socket pair for each run; each process inherits its ends, and this one keeps none. */
function startBoth(): readonly [Program, Program] {
  const pairs = Object.keys(sockets).map(() => pairUnix())
  const ofBroker = pairs.map(([end]) => end)
  const ofWorker = pairs.map(([, end]) => end)
  try {
    return [
      new Program(folder, 'broker', { settings, sockets: ofBroker, confined: false }),
      new Program(folder, 'worker', { settings, sockets: ofWorker, confined: true }),
    ]
  } finally {
    closeDescriptors([...ofBroker, ...ofWorker])
  }
}

function readArguments(): Settings {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { files: { type: 'string' }, seed: { type: 'string' }, sabotage: { type: 'string' } },
  })
  const sabotage = values.sabotage
  if (sabotage !== undefined && !isSabotage(sabotage)) throw new Error('--sabotage is swap, lose or leak')
  return {
    // npm runs scripts in the repository's folder; INIT_CWD is where the user was.
    directory: resolve(process.env.INIT_CWD ?? '.', positionals[0] ?? repository),
    files: wholeNumber('--files', values.files ?? '2000'),
    seed: wholeNumber('--seed', values.seed ?? '1'),
    sabotage,
    tableSize: 1_024,
  }
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${option} is a whole number, not ${text}`)
  return Number(text)
}

function isSabotage(word: string): word is Sabotage {
  return word === 'swap' || word === 'lose' || word === 'leak'
}

function expectZero(count: number, what: string): void {
  if (count !== 0) failures.add(`${count} × ${what}`)
}

function of(process: string) {
  return (leak: string): string => `the ${process} leaked ${leak}`
}
