/**
 * The broker: the one process that may read the directory. It sends each file's open descriptor in a frame that names it.
 *
 * Whoever decides what a client may have sits here, and nothing that a client sends is ever parsed with these rights.
 * In this demo it sends everything.
 */
import { adopt, type FrameStream } from 'pillion'
import { listFiles, type OpenedFile, openFile } from './files.js'
import { leakedSince, openDescriptors } from './open-descriptors.js'
import { obey, type Run, readSettings, type Sent, sockets, tell } from './orders.js'
import { Payloads } from './payload.js'
import { schedule } from './schedule.js'

const settings = readSettings()
const payloads = new Payloads(settings.seed)
const { paths, listing } = listFiles(settings.directory, settings.files)
const atStart = openDescriptors(settings.tableSize)
let sabotageDue = settings.sabotage === 'swap' || settings.sabotage === 'lose'

obey(async (run) => {
  const sent = await sendAll(run)
  tell({ answer: 'sent', sent, leaked: leakedSince(leaving(run), settings.tableSize) })
})
tell({ answer: 'broker-ready', listing })

async function sendAll(run: Run): Promise<Sent> {
  // The socket was made by main and inherited; the stream owns it from here on. A tiny send buffer in the first run:
  // sends are cut anywhere, and the broker waits for the worker all the time.
  const stream = adopt(sockets[run], {
    maxDescriptors: 1024,
    highWaterMark: 64 * 1024,
    ...(run === 'stream' ? { sendBuffer: 4608 } : {}),
  })
  let waits = 0
  let unopened = 0
  let sequence = 0
  for (const step of schedule(paths.length, settings.seed)) {
    const opened = step.files.map((index) => openFile(settings.directory, paths[index] ?? ''))
    const files = opened.filter((file) => file !== undefined)
    if (step.first && files.length === 0) unopened++
    const payload = payloads.write(sequence++, step, nameThem(files))
    if (!sendFrame(stream, payload, run === 'stream' ? sabotaged(files) : files, step.first)) {
      waits++ // more is queued than the mark: the worker is behind, so the broker stops opening files
      await stream.drained()
    }
  }
  await stream.end()
  await stream.closed // the worker has ended its side too
  const { frames, descriptors } = stream.stats.sent
  return { frames, descriptors, waits, unopened }
}

/**
 * Two ways to send a descriptor, both right: give it away (`transfer`: no duplicate, the stream closes it once it has
 * gone), or lend it (the stream duplicates what has to wait, so that it may be closed at once).
 */
function sendFrame(stream: FrameStream, payload: Uint8Array[], files: OpenedFile[], transfer: boolean): boolean {
  const descriptors = files.map((file) => file.descriptor)
  try {
    return stream.send(payload, descriptors, { transfer })
  } finally {
    for (const descriptor of descriptors) descriptor.close() // does nothing for those given away
  }
}

function nameThem(files: OpenedFile[]) {
  return files.map((file) => file.name)
}

/** With `--sabotage`, one frame carries something else than it names. */
function sabotaged(files: OpenedFile[]): OpenedFile[] {
  const [first, second, ...others] = files
  if (!sabotageDue || first === undefined || second === undefined) return files
  if (first.name.identity === second.name.identity) return files
  sabotageDue = false
  if (settings.sabotage === 'swap') return [second, first, ...others]
  files.at(-1)?.descriptor.close()
  return files.slice(0, -1)
}

/** What may be open after a run: what was at the start, but for the run's own socket. */
function leaving(run: Run) {
  return new Map([...atStart].filter(([fd]) => fd !== sockets[run]))
}
