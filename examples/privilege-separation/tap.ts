/**
 * The worker's second and third connection: one level down, where bytes and sets of descriptors still lie apart.
 *
 * It receives with `UnixSocket`, lets pillion's decoder pair frames and descriptors, records the same reads for the usual
 * ways, and counts what each of them would have given to whom. In the run `full-table` the process has hardly a free
 * place for a descriptor, so that the kernel drops some (docs/kernel.md fact 9), and pillion is told not to wait.
 */
import { Descriptor } from 'pillion'
import { FrameDecoder, FrameTable, frameLimits, pillion } from 'pillion/framing'
import { adoptConnected, closeDescriptors, type Received, UnixSocket } from 'pillion/transport'
import { identityOf } from './open-descriptors.js'
import { type Run, sockets } from './orders.js'
import type { Payloads } from './payload.js'
import { type Step, schedule } from './schedule.js'
import { Counting, type Tally } from './tally.js'
import { type Read, type RecordedFrame, usualWays } from './usual-ways.js'

export interface Comparison {
  readonly reads: number
  /** Sets of which the kernel dropped some or all. */
  readonly truncatedSets: number
  readonly ours: Tally
  readonly others: Readonly<Record<string, Tally>>
}

interface TapSettings {
  readonly seed: number
  readonly tableSize: number
}

const freePlaces = 40
const pauseEvery = 16

export async function compare(
  run: Run,
  fileCount: number,
  payloads: Payloads,
  { seed, tableSize }: TapSettings,
): Promise<Comparison> {
  const tap = new Tap(schedule(fileCount, seed), payloads)
  const fillers = run === 'full-table' ? fillTable(tableSize) : []
  try {
    // Headroom 0: receive even if the table may be too full. By default pillion waits instead of losing.
    await tap.receive(sockets[run], run === 'full-table' ? { descriptorHeadroom: 0 } : {})
  } finally {
    for (const filler of fillers) filler.close()
  }
  return tap.comparison()
}

class Tap {
  readonly #steps: Iterator<Step, undefined>
  readonly #payloads: Payloads
  readonly #decoder = new FrameDecoder(pillion(), frameLimits({ maxDescriptors: 1024 }))
  readonly #table = new FrameTable()
  readonly #counting = new Counting()
  readonly #reads: Read[] = []
  readonly #frames: RecordedFrame[] = []
  #truncatedSets = 0
  #wakeUps = 0

  constructor(steps: Iterator<Step, undefined>, payloads: Payloads) {
    this.#steps = steps
    this.#payloads = payloads
  }

  /** Until the peer ends its side. */
  async receive(fd: number, options: { descriptorHeadroom?: number }): Promise<void> {
    const { promise, resolve, reject } = deferred()
    const socket = new UnixSocket(
      adoptConnected(fd),
      {
        onReceived: (received) => {
          const consumed = this.#take(received, socket)
          if (this.#decoder.error !== undefined) reject(this.#decoder.error)
          return consumed
        },
        onDeliver: () => this.#pauseNowAndThen(socket),
        onEnd: () => resolve(this.#decoder.finish()),
        onReceiveError: reject,
        onSendError: reject,
        onRefused: ({ error }) => reject(error),
        onSent: () => {},
        onPressure: () => {},
      },
      options,
    )
    socket.resume()
    try {
      await promise
    } finally {
      socket.close()
      closeDescriptors(this.#decoder.release())
    }
  }

  comparison(): Comparison {
    const recording = { reads: this.#reads, frames: this.#frames }
    const others = Object.entries(usualWays).map(([name, way]) => {
      const counting = new Counting()
      const given = way(recording)
      for (const [i, frame] of this.#frames.entries()) counting.frame(frame.named, given[i] ?? [])
      return [name, counting.tally] as const
    })
    return {
      reads: this.#reads.length,
      truncatedSets: this.#truncatedSets,
      ours: this.#counting.tally,
      others: Object.fromEntries(others),
    }
  }

  /** What one wake-up brought: several reads, each set tagged with where its read ended. */
  #take(received: Received, socket: UnixSocket): number {
    this.#record(received)
    const { lent, bytes, start, end, position, sets } = received
    const decoder = this.#decoder
    decoder.push(lent, bytes, start, end, position, sets)
    while (decoder.next(this.#table)) this.#checkFrames(this.#table)
    closeDescriptors(decoder.discarded.splice(0))
    socket.lend(decoder.wanted)
    return decoder.consumed
  }

  /**
   * A read is what one recvmsg with a large buffer would return: up to a set, or all that was there. (pillion's own reads
   * without a set are not told apart, and nobody needs them to be.)
   */
  #record({ sets, position, start, end }: Received): void {
    const known = position + (end - start)
    for (const set of sets) {
      if (set.truncated) this.#truncatedSets++
      const descriptors = set.fds.map((fd) => identityOf(fd) ?? 'closed')
      this.#reads.push({ end: set.end, descriptors, drained: set === sets.at(-1) && set.end === known })
    }
    if (sets.at(-1)?.end !== known) this.#reads.push({ end: known, descriptors: [], drained: true })
  }

  #checkFrames(table: FrameTable): void {
    for (let row = 0; row < table.length; row++) {
      const payload = table.bytes.subarray(table.start(row), table.end(row))
      const step = this.#steps.next().value
      const files = step === undefined ? undefined : this.#payloads.read(this.#frames.length, step, payload)
      const named = (files ?? []).map((file) => file.identity)
      const bearing = table.bearing(row)
      const fds = bearing?.fds ?? []
      if (files === undefined) this.#counting.damagedFrame()
      else this.#counting.frame(named, fds.map(identityOf), bearing?.lost ?? 0)
      closeDescriptors(fds)
      this.#frames.push({ end: table.position(row) + payload.length, named })
    }
  }

  /** A busy worker: meanwhile sends pile up in the socket, and one read then takes bytes of several frames. */
  #pauseNowAndThen(socket: UnixSocket): void {
    if (++this.#wakeUps % pauseEvery !== 0) return
    socket.pause()
    setTimeout(() => socket.resume(), 2)
  }
}

/** Leaves this process a few free places for descriptors. */
function fillTable(tableSize: number): Descriptor[] {
  const fillers: Descriptor[] = []
  while (fillers.length < tableSize) {
    try {
      fillers.push(Descriptor.dup(0))
    } catch {
      break // EMFILE
    }
  }
  for (const filler of fillers.splice(-freePlaces)) filler.close()
  return fillers
}

function deferred() {
  let resolve!: (error: Error | undefined) => void
  let reject!: (error: Error) => void
  const promise = new Promise<void>((settle, fail) => {
    reject = fail
    resolve = (error) => (error === undefined ? settle() : fail(error))
  })
  return { promise, resolve, reject }
}
