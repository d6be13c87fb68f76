/**
 * The worker: opens nothing, and need not be trusted. All that it ever sees of the directory came through descriptors.
 *
 * What holds it back: Node's permission model, which main switches on (no file but its own program, no writing, no
 * processes, no threads), and, if main runs as root, another user's rights. Native code is outside the permission model:
 * the addon is trusted. The worker tries to get out before it starts, and main fails if it can.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { adopt, type Descriptor, type Frame } from 'pillion'
import { leakedSince, look, openDescriptors } from './open-descriptors.js'
import { type Confinement, obey, type Received, type Run, readSettings, sockets, tell } from './orders.js'
import { Payloads } from './payload.js'
import { type Step, schedule } from './schedule.js'
import { Counting } from './tally.js'
import { compare } from './tap.js'

const settings = readSettings()
const payloads = new Payloads(settings.seed)
const counting = new Counting()
const digests = new Map<string, string>()
const block = Buffer.allocUnsafe(256 * 1024)
let hashedBytes = 0
let resized = 0
const forgotten: string[] = []
const nobody = 65534
let leakDue = settings.sabotage === 'leak'
process.on('warning', (warning) => {
  if ((warning as NodeJS.ErrnoException).code === 'PILLION_FORGOTTEN_DESCRIPTOR') forgotten.push(warning.message)
})

const confinement = confine()
const atStart = openDescriptors(settings.tableSize)
obey(async (run, fileCount) => {
  if (run === 'stream') tell({ answer: 'received', received: await receiveAll(fileCount), leaked: leaked(run) })
  else tell({ answer: 'compared', comparison: await compare(run, fileCount, payloads, settings), leaked: leaked(run) })
})
tell({ answer: 'worker-ready', confinement })

async function receiveAll(fileCount: number): Promise<Received> {
  const stream = adopt(sockets.stream, { maxDescriptors: 1024, highWaterMark: 64 * 1024 })
  const steps = schedule(fileCount, settings.seed)
  const started = performance.now()
  let sequence = 0
  // `using` closes what the frame brought and nobody took, whatever happens in the loop.
  for await (using frame of stream) {
    check(sequence++, steps.next().value, frame)
    if (sequence % 100 !== 0) continue
    await sleep(sequence % 500 === 0 ? 40 : 5) // falls behind: the stream stops reading, and the broker has to wait
    if (sequence % 1000 === 0) tell({ answer: 'progress', frames: sequence, descriptors: counting.tally.descriptors })
  }
  const seconds = (performance.now() - started) / 1000
  await stream.end()
  await stream.closed
  const { bytes, pauses } = stream.stats.received
  const hashed = { digest: digestOfAll(), hashedFiles: digests.size, hashedBytes }
  return { ...counting.tally, ...hashed, bytes, seconds, pauses, resized }
}

/** Holds what arrived against what must arrive, and the descriptors against what the frame names. */
function check(sequence: number, step: Step | undefined, frame: Frame): void {
  const named = step === undefined ? undefined : payloads.read(sequence, step, frame.payload)
  if (named === undefined) {
    counting.damagedFrame()
    return
  }
  const got = frame.descriptors.map((descriptor) => look(descriptor.fd))
  counting.frame(identities(named), identities(got), frame.lost)
  resized += got.filter((seen, i) => seen?.identity === named[i]?.identity && seen?.size !== named[i]?.size).length
  const [file] = named
  const [descriptor] = frame.descriptors
  if (step?.first === true && file !== undefined && descriptor !== undefined) digests.set(file.path, hash(descriptor))
  if (leakDue && descriptor !== undefined) {
    leakDue = false
    descriptor.take() // the number is ours to close now, and we don't
  }
}

function identities(files: readonly ({ readonly identity: string } | undefined)[]): (string | undefined)[] {
  return files.map((file) => file?.identity)
}

/** Reads at positions of its own: the offset lives on the open file, which others may share (docs/kernel.md fact 14). */
function hash(descriptor: Descriptor): string {
  const sha256 = createHash('sha256')
  let position = 0
  for (;;) {
    const length = readSync(descriptor.fd, block, 0, block.length, position)
    if (length === 0) break
    sha256.update(block.subarray(0, length))
    position += length
  }
  hashedBytes += position
  return sha256.digest('hex')
}

/** Of the lines that `sha256sum` would print, in the order of the digests. */
function digestOfAll(): string {
  const lines = [...digests].map(([path, digest]) => `${digest}  ${path}\n`).sort()
  return createHash('sha256').update(lines.join('')).digest('hex')
}

/** Gives up what is left of privilege, then tries to open what it must not. */
function confine(): Confinement {
  if (process.geteuid?.() === 0) {
    process.setgroups?.([])
    process.setgid?.(nobody)
    process.setuid?.(nobody)
  }
  const attempts = [settings.directory, '/etc/passwd', '/proc/self/exe', '/proc/self/fd/0'].map((path) => {
    try {
      closeSync(openSync(path, 'r'))
      return { path, outcome: 'opened' }
    } catch (error) {
      return { path, outcome: (error as NodeJS.ErrnoException).code ?? String(error) }
    }
  })
  return { uid: process.geteuid?.() ?? -1, attempts }
}

/** The collector having closed one only hides the leak from the table. */
function leaked(run: Run): string[] {
  const before = new Map([...atStart].filter(([fd]) => fd !== sockets[run]))
  return [...leakedSince(before, settings.tableSize), ...forgotten.splice(0)]
}
