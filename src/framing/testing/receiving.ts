/**
 * A stand-in for the transport's receiving side and its user: reads a simulated stream in any way asked for, feeds a
 * decoder as the frame stream does, and keeps account of what came out and of every descriptor.
 *
 * The memory it receives into is overwritten as soon as the decoder is done with it.
 */
import {
  type Codec,
  type DescriptorSet,
  FrameDecoder,
  type FrameLimits,
  FrameTable,
  type PillionError,
  wantsReceives,
} from '../index.js'
import { type Send, sendWhatFits } from './sending.js'
import { type ReceivedMessage, type ReceiveOptions, SimulatedStream } from './simulated-stream.js'

export interface ReceivedFrame {
  readonly payload: Uint8Array
  readonly fds: readonly number[]
  readonly announced: number
  readonly lost: number
  readonly flags: number
}

/** How to read: what is asked of the k-th recvmsg, and how many of them make a wake-up. */
export interface WayToRead {
  readonly size: (k: number) => number
  readonly wakeUp?: (k: number) => number
  readonly limits?: (k: number) => ReceiveOptions
  /** Whether to receive into the memory that the decoder wants. Default true. */
  readonly lends?: boolean
  readonly readiness?: 'level' | 'edge'
}

export class FramingReceiver {
  readonly frames: ReceivedFrame[] = []
  /** Tokens that the decoder gave out to be closed. */
  readonly closed: number[] = []
  readonly decoder: FrameDecoder
  readonly #table = new FrameTable()
  readonly #tellsReceives: boolean
  #carried = new Uint8Array(0)
  #position = 0

  constructor(codec: Codec, limits: FrameLimits, largeFrom: number) {
    this.#tellsReceives = wantsReceives(codec)
    this.decoder = new FrameDecoder(codec, limits, { largeFrom })
  }

  get error(): PillionError | undefined {
    return this.decoder.error
  }

  /** One wake-up: the messages of several recvmsg calls, read for `lent` bytes into the memory lent. */
  take(messages: readonly ReceivedMessage[], lends: boolean): void {
    const { decoder } = this
    const arrived = Buffer.concat(messages.map((message) => message.bytes))
    const wanted = lends ? decoder.wanted : undefined
    const lent = Math.min(wanted?.length ?? 0, arrived.length)
    wanted?.set(arrived.subarray(0, lent))
    const known = this.#position + this.#carried.length
    const fresh = arrived.subarray(lent)
    const start = 5 // anywhere
    const end = start + this.#carried.length + fresh.length
    const slab = new Uint8Array(end + 3).fill(0xee)
    slab.set(this.#carried, start)
    slab.set(fresh, start + this.#carried.length)
    this.#position += lent
    decoder.push(lent, slab, start, end, this.#position, setsOf(messages, known, this.#tellsReceives))
    while (decoder.next(this.#table)) this.#deliver()
    this.closed.push(...decoder.discarded.splice(0))
    this.#carried = slab.slice(start + decoder.consumed, end)
    this.#position += decoder.consumed
    slab.fill(0xdd)
  }

  /** The end of the stream, and of the decoder. */
  finish(): PillionError | undefined {
    const error = this.decoder.finish()
    this.closed.push(...this.decoder.release())
    return error
  }

  #deliver(): void {
    const table = this.#table
    for (let i = 0; i < table.length; i++) {
      const bearing = table.bearing(i)
      this.frames.push({
        payload: table.bytes.slice(table.start(i), table.end(i)),
        fds: bearing?.fds ?? [],
        announced: bearing?.announced ?? 0,
        lost: bearing?.lost ?? 0,
        flags: table.flags(i),
      })
    }
  }
}

function setsOf(messages: readonly ReceivedMessage[], position: number, tellsReceives: boolean): DescriptorSet[] {
  const sets: DescriptorSet[] = []
  let end = position
  for (const { bytes, set } of messages) {
    end += bytes.length
    if (set !== undefined) sets.push({ end, ...set })
    else if (tellsReceives) sets.push({ end, truncated: false, fds: [] })
  }
  return sets
}

export interface Outcome {
  readonly way: string
  readonly frames: readonly ReceivedFrame[]
  readonly error: PillionError | undefined
  readonly stream: SimulatedStream
  /** Tokens that came out of the decoder to be closed. */
  readonly closed: readonly number[]
  /** Tokens that the sender still had when the reader stopped. */
  readonly unsent: readonly number[]
}

export interface Reading {
  readonly codec: Codec
  readonly limits: FrameLimits
  readonly largeFrom?: number
  readonly stream?: SimulatedStream
  /** Called before each wake-up with what is still to be sent: whether to send now. Default: all at once, first of all. */
  readonly sendsNow?: () => boolean
}

/** Sends and reads, to the end of the stream or to the decoder's error. */
export function readAll(sends: readonly Send[], way: WayToRead, reading: Reading, name = ''): Outcome {
  const stream = reading.stream ?? new SimulatedStream()
  const receiver = new FramingReceiver(reading.codec, reading.limits, reading.largeFrom ?? 32 * 1024)
  let left = sends
  let reads = 0
  let wakeUps = 0
  let asked = true // edge: read on, without waiting for an arrival
  let ended = false
  while (!ended && receiver.error === undefined) {
    if (left.length > 0 && (!stream.readable || (reading.sendsNow?.() ?? true))) {
      left = sendWhatFits(stream, left)
      if (left.length === 0) stream.end()
    }
    if (sends.length === 0) stream.end()
    const ready = way.readiness === 'edge' ? stream.takeEdge() || asked : stream.readable
    if (!ready) throw new Error('the reader hangs')
    asked = false
    const messages: ReceivedMessage[] = []
    const most = way.wakeUp?.(wakeUps++) ?? Number.POSITIVE_INFINITY
    while (messages.length < most && !ended) {
      const message = stream.receive(way.size(reads), way.limits?.(reads) ?? {})
      reads++
      if (message === 'EAGAIN') break
      if (message.bytes.length === 0) ended = true
      else messages.push(message)
      asked = messages.length === most // over budget: whoever stops must come back by itself
    }
    if (messages.length > 0) receiver.take(messages, way.lends ?? true)
  }
  const error = receiver.finish()
  return {
    way: name,
    frames: receiver.frames,
    error,
    stream,
    closed: receiver.closed,
    unsent: left.flatMap((send) => send.fds),
  }
}

const ways: Readonly<Record<string, WayToRead>> = {
  'all at once': { size: () => 1 << 30 },
  'a recvmsg at a time': { size: () => 1 << 30, wakeUp: () => 1 },
  'byte by byte': { size: () => 1, wakeUp: () => 1 },
  'byte by byte, copied': { size: () => 1, wakeUp: () => 1, lends: false },
  'many small reads at once': { size: () => 3 },
  'odd reads, edge-triggered': { size: (k) => 1 + ((k * 7) % 11), wakeUp: (k) => 1 + (k % 3), readiness: 'edge' },
}

/** The same sends in every way that there is to read them, in two halves among them. */
export function readInEveryWay(sends: readonly Send[], reading: Reading): Outcome[] {
  const total = sends.reduce((sum, send) => sum + send.bytes.length, 0)
  const half = Math.max(1, total >> 1)
  const outcomes = Object.entries(ways).map(([name, way]) => readAll(sends, way, reading, name))
  outcomes.push(readAll(sends, { size: () => half, wakeUp: () => 1 }, reading, 'in halves'))
  return outcomes
}

/** Every token that was sent, wherever it ended; for comparison with those that were. */
export function accountOf({ frames, closed, stream, unsent }: Outcome): number[] {
  const tokens = [...frames.flatMap(({ fds }) => fds), ...closed, ...stream.closed, ...stream.inFlight, ...unsent]
  return tokens.sort((a, b) => a - b)
}
