/**
 * FrameReceiver: from received bytes and sets to whoever consumes the frames: by event, by batch or one by one.
 *
 * Here received descriptors change owner, from the decoder to the frame or batch that is handed out; whatever cannot be
 * handed out is closed here. Knows nothing of sending, nor of the stream's life beyond "it broke" and "it ended".
 */
import { checkBoolean, checkOptions } from '../arguments.js'
import { UsageError } from '../errors.js'
import { nextTick } from '../event-loop.js'
import { wantsReceives } from '../framing/codec.js'
import { memfdFlag } from '../framing/codecs/pillion.js'
import { FrameDecoder } from '../framing/frame-decoder.js'
import { FrameTable } from '../framing/frame-table.js'
import type { CodecConnection } from '../framing/index.js'
import { MessageDecoder } from '../framing/message-decoder.js'
import { closeDescriptors, type Received, type UnixSocket } from '../transport/index.js'
import { type Frame, ReceivedFrame } from './frame.js'
import { type BatchOptions, type FrameBatch, ReceivedBatch } from './frame-batch.js'
import { Inbox } from './inbox.js'
import { giveBack, lendMemory } from './lent-memory.js'
import type { StreamSettings } from './options.js'
import { bytesAhead, keepBytes } from './placing.js'
import { ReceivedTally } from './received-tally.js'
import { sealedFrame } from './sealed-payload.js'
import { Standstill } from './standstill.js'
import { TurnBudget } from './turn-budget.js'

export interface ReceiverHooks {
  /** False: nobody listens, and the frame is still the receiver's. */
  onFrame(frame: Frame): boolean
  /** Nothing more can be received: the socket has to go. What came before is still consumed. */
  onBroken(error: Error): void
  /** The last frame has been consumed; the error is what ended the direction, if it was no proper end. */
  onReceivingEnded(error: Error | undefined): void
}

type Consumer = 'frame event' | 'onBatch' | 'iterator'

/**
 * The thread's, as the slab is: a wake-up is taken in and handed on before there is another one. An idle stream has none
 * of its own.
 */
const sharedTable = new FrameTable()

// Of streams that have none of their own so far, since nothing has waited, and nobody has asked: these are only looked at.
const noInbox = new Inbox()
const noStandstill = new Standstill()
const noTally = new ReceivedTally()
const nothing = new Uint8Array(0)

export class FrameReceiver {
  readonly #socket: UnixSocket
  readonly #settings: StreamSettings
  readonly #hooks: ReceiverHooks
  readonly #connection: CodecConnection | undefined
  /** Made with the first bytes, as `#tally` is: a connection that is only there does without. */
  #decoder: FrameDecoder | MessageDecoder | undefined
  #inbox = noInbox
  #table = sharedTable
  /** Made when the first one is handed on. */
  #batch: ReceivedBatch | undefined
  /** Made with the first frame that is handed on by itself. */
  #budget: TurnBudget | undefined
  /** Whether the table holds rows, and from which on they have not been handed on. */
  #filled = false
  #row = 0
  /** What the socket has been told: that memory is lent to it, and how much to receive behind that. */
  #lending = false
  #ahead = 0
  /** Whoever consumes keeps the frames. */
  #keeps = true
  #consumer: Consumer | undefined
  #onBatch: ((batch: FrameBatch) => void) | undefined
  /** Held back by the user, as against the full inbox that holds the socket back. */
  #paused = false
  /** The last listener has gone, and a frame came that is not heard: it waits for the next one. */
  #unheard = false
  #drainDue = false
  #heldBack = false
  /** A sealed payload that could not be opened. */
  #failure: Error | undefined
  /** What ends the direction, behind the frames of the inbox. */
  #ending: { readonly error: Error | undefined } | undefined
  #over = false
  /** A wake-up's frames are being handed on: the decoder and the table are at work. */
  #delivering = false
  #standstill = noStandstill
  #tally = noTally

  constructor(
    socket: UnixSocket,
    settings: StreamSettings,
    connection: CodecConnection | undefined,
    hooks: ReceiverHooks,
  ) {
    this.#socket = socket
    this.#settings = settings
    this.#hooks = hooks
    this.#connection = connection
    const { codec } = settings
    if (codec !== undefined && wantsReceives(codec)) socket.tellReceives()
  }

  get stats(): Readonly<Pick<ReceivedTally, 'frames' | 'descriptors' | 'lost' | 'pauses'>> {
    const { frames, descriptors, lost, pauses } = this.#tally
    return { frames, descriptors, lost, pauses }
  }

  /** Everything has been received and consumed. */
  get done(): boolean {
    return this.#over
  }

  /** Somebody consumes, and more may come. */
  get receiving(): boolean {
    return this.#consumer !== undefined && this.#ending === undefined && !this.#over
  }

  /** Whoever iterates sees how the stream ends. */
  get isIterated(): boolean {
    return this.#consumer === 'iterator'
  }

  consumeByEvent(): void {
    this.#consume('frame event')
    this.#unheard = false
    this.#flow()
  }

  consumeByBatch(callback: (batch: FrameBatch) => void, options: BatchOptions): void {
    if (typeof callback !== 'function') throw new UsageError('onBatch takes a function')
    checkOptions(options)
    const { keeps = false } = options
    checkBoolean('keeps', keeps)
    if (this.#onBatch !== undefined) throw new UsageError('onBatch has its callback already')
    this.#consume('onBatch')
    this.#onBatch = callback
    this.#keeps = keeps
    this.#chooseMemory()
    this.#flow()
  }

  consumeByIterator(): void {
    if (this.#consumer === 'iterator') throw new UsageError('the stream is iterated already; it has one iterator')
    this.#consume('iterator')
    this.#flow()
  }

  /**
   * Looks for the peer's end though nobody consumes; frames that come instead wait, up to the mark. Without it a stream
   * that only sends would never know that it is done.
   */
  awaitEnd(): void {
    if (!this.#settings.ends) return
    if (this.#standstill.quiet) return
    if (this.#consumer === undefined && !this.#over && this.#ending === undefined) this.#socket.resume()
  }

  /**
   * Bytes of the stream that were received by somebody else come first; how many of them are done with. They are the
   * receiver's from now on.
   */
  begin(bytes: Uint8Array): number {
    const received = { lent: 0, bytes, start: 0, end: bytes.length, position: 0, sets: [], keep: () => {} }
    // Not by a wake-up: another stream's may be being handed on, and a callback of it have adopted this one.
    this.#table = new FrameTable()
    try {
      const consumed = this.take(received)
      this.deliver(received)
      return consumed
    } finally {
      this.#table = sharedTable
    }
  }

  /** Receives no more, but for the rest of a frame that has descriptors. Resolves when all of it has been consumed. */
  stop(signal: AbortSignal | undefined): Promise<void> {
    const stopped = this.#ownStandstill.ask(signal)
    this.#comeToRest()
    return stopped
  }

  /** The beginning of a frame that the decoder has consumed. Throws UsageError where receiving has not been stopped. */
  begun(): Uint8Array {
    if (this.#standstill.reached) return this.#decoder?.begun ?? nothing
    throw new UsageError('frames may still be received, or wait to be consumed: await stopReceiving() before detach()')
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#paused = false
    this.#flow()
  }

  next(): Promise<IteratorResult<Frame, undefined>> {
    const inbox = this.#ownInbox
    const frame = inbox.shift()
    const isThere = frame !== undefined && this.#open(frame) >= 0
    const next = isThere ? Promise.resolve({ value: frame, done: false } as const) : inbox.wait()
    if (this.#inbox.told) this.#standstill.settle()
    this.#goOn()
    return next
  }

  /** Takes a wake-up's bytes and sets in; how many of the bytes are done with. */
  take(received: Received): number {
    this.#delivering = true
    const decoder = this.#ownDecoder
    decoder.push(received.lent, received.bytes, received.start, received.end, received.position, received.sets)
    this.#row = 0
    this.#filled = decoder.next(this.#table)
    if (decoder.discarded.length > 0) closeDescriptors(decoder.discarded.splice(0))
    const { wanted } = decoder
    const ahead = bytesAhead(decoder, this.#table, received, this.#keeps)
    if (wanted !== undefined || this.#lending || ahead !== this.#ahead) {
      this.#lending = wanted !== undefined
      this.#ahead = ahead
      this.#socket.lend(wanted, ahead)
    }
    return decoder.consumed
  }

  /** Hands on what was taken in. */
  deliver(received: Received): void {
    try {
      for (; this.#filled; this.#nextTable()) this.#deliverRows(received)
    } finally {
      // An exception of whoever consumes only delays what is behind it.
      for (; this.#filled; this.#nextTable()) this.#queueRows(received)
      this.#delivering = false
      this.#afterDelivery()
    }
  }

  /** The peer has ended its direction. */
  end(): void {
    if (this.#ending !== undefined || this.#over) return
    const error = this.#decoder?.finish()
    if (error === undefined) {
      this.#ending = { error: undefined }
      this.#settle()
    } else {
      this.fail(error)
    }
  }

  /** Nothing more can be received. */
  fail(error: Error): void {
    if (this.#ending !== undefined || this.#over) return
    this.#ending = { error }
    if (this.#decoder !== undefined) closeDescriptors(this.#decoder.release())
    this.#ownStandstill.fail(error)
    this.#hooks.onBroken(error)
    this.#settle()
  }

  /** The stream is over, with this error: closes everything that has not been consumed. */
  discard(error: Error | undefined): void {
    if (!this.#over) this.#ownStandstill.fail(error)
    this.#over = true
    this.#inbox.clear()
    this.#ownInbox.finish(error)
    if (this.#decoder !== undefined) closeDescriptors(this.#decoder.release())
  }

  #consume(consumer: Consumer): void {
    if (this.#consumer === consumer) return
    if (this.#consumer !== undefined) {
      throw new UsageError(
        `the frames of this stream go to its ${this.#consumer} already: one way of consuming at a time`,
      )
    }
    this.#consumer = consumer
  }

  #nextTable(): void {
    this.#row = 0
    this.#filled = this.#ownDecoder.next(this.#table)
  }

  /** The table's rows, to whoever consumes. */
  #deliverRows(received: Received): void {
    const table = this.#table
    if (this.#consumer !== 'onBatch' || this.#queues) keepBytes(table, received)
    while (this.#row < table.length) {
      const first = this.#row
      if (this.#consumer === 'onBatch' && !this.#queues && !this.#isSealed(first)) {
        this.#row = this.#endOfRun(first)
        this.#deliverRun(first, this.#row)
      } else {
        this.#deliverFrame(this.#takeRow())
      }
    }
  }

  #queueRows(received: Received): void {
    keepBytes(this.#table, received)
    while (this.#row < this.#table.length) {
      const frame = this.#takeRow()
      if (this.#over || this.#failure !== undefined) frame[Symbol.dispose]()
      else this.#ownInbox.push(frame)
    }
  }

  #afterDelivery(): void {
    if (this.#over) return
    const error = this.#failure ?? this.#decoder?.error
    if (error !== undefined) {
      this.fail(error)
      return
    }
    if (this.#standstill.asked) this.#comeToRest()
    if (this.#inbox.bytes > this.#settings.highWaterMark) this.#holdBack()
    const calls = this.#consumer === 'frame event' || this.#consumer === 'onBatch'
    if (calls && !this.#inbox.empty && !this.#holds) this.#drainSoon()
  }

  /** Nothing is handed on at present. */
  get #holds(): boolean {
    return this.#paused || this.#unheard || this.#budget?.spent === true
  }

  /** Frames must wait: behind others, for `resume`, or for somebody who listens. */
  get #queues(): boolean {
    return this.#holds || !this.#inbox.empty || this.#over
  }

  /** Hands on what waits, then receives on, if somebody consumes. */
  #flow(): void {
    if (this.#over || this.#holds || this.#consumer === undefined) return
    if (this.#inbox.empty || this.#consumer === 'iterator') this.#goOn()
    else this.#drainSoon()
  }

  #deliverFrame(frame: ReceivedFrame): void {
    if (this.#over || this.#failure !== undefined) {
      frame[Symbol.dispose]()
    } else if (this.#consumer === undefined || this.#consumer === 'iterator' || this.#queues) {
      const fetched = this.#inbox.awaited ? this.#open(frame) : 0
      if (fetched >= 0) this.#ownInbox.push(frame)
      if (this.#consumer === 'iterator') this.#ownBudget.count(1, Math.max(0, fetched))
    } else {
      this.#handOver(frame)
    }
  }

  #handOver(frame: ReceivedFrame): void {
    const fetched = this.#open(frame)
    if (fetched < 0) return
    this.#ownBudget.count(1, fetched)
    if (this.#consumer === 'onBatch') {
      const batch = this.#ownBatch
      batch.openFrame(frame)
      this.#callBack(batch)
    } else if (!this.#hooks.onFrame(frame)) {
      this.#unheard = true
      this.#socket.pause()
      this.#ownInbox.unshift(frame)
    }
  }

  /** Has its payload there. How many bytes were fetched for that; -1: it cannot be there, which ends the stream. */
  #open(frame: ReceivedFrame): number {
    try {
      return frame.open()
    } catch (error) {
      frame[Symbol.dispose]()
      this.#inbox.clear()
      if (this.#delivering) this.#failure = error as Error
      else this.#breakOff(error as Error)
      return -1
    }
  }

  /** As `fail`, but ahead of what has ended the stream already, if anything has. */
  #breakOff(error: Error): void {
    const isBroken = this.#ending?.error !== undefined
    this.#ending = isBroken ? { error } : undefined
    if (isBroken) this.#settle()
    else this.fail(error)
  }

  /** Where the rows that can be shown in place end. */
  #endOfRun(first: number): number {
    const table = this.#table
    if (!this.#settings.sealable || !table.flagged) return table.length
    let row = first
    while (row < table.length && !this.#isSealed(row)) row++
    return row
  }

  #deliverRun(first: number, end: number): void {
    const batch = this.#ownBatch
    const { bytes, ownsBytes } = this.#table
    batch.openRows(this.#table, first, end, this.#keeps && ownsBytes)
    this.#tally.count(this.#table, first, end)
    try {
      this.#callBack(batch)
    } finally {
      if (ownsBytes && !this.#keeps) giveBack(bytes)
    }
  }

  get #ownDecoder(): FrameDecoder | MessageDecoder {
    return this.#decoder ?? this.#makeDecoder()
  }

  #makeDecoder(): FrameDecoder | MessageDecoder {
    const { codec, limits } = this.#settings
    const connection = this.#connection
    const decoder =
      codec === undefined
        ? new MessageDecoder(limits)
        : new FrameDecoder(codec, limits, connection === undefined ? {} : { connection })
    this.#decoder = decoder
    this.#tally = new ReceivedTally()
    this.#chooseMemory()
    return decoder
  }

  /** Whoever is done with a batch when the callback returns does not need memory of its own for each large frame. */
  #chooseMemory(): void {
    if (!this.#keeps && this.#decoder instanceof FrameDecoder) this.#decoder.allocateBy(lendMemory)
  }

  get #ownInbox(): Inbox {
    if (this.#inbox === noInbox) this.#inbox = new Inbox()
    return this.#inbox
  }

  get #ownStandstill(): Standstill {
    if (this.#standstill === noStandstill) this.#standstill = new Standstill()
    return this.#standstill
  }

  get #ownBudget(): TurnBudget {
    this.#budget ??= new TurnBudget(
      () => this.#socket.pause(),
      () => this.#flow(),
    )
    return this.#budget
  }

  get #ownBatch(): ReceivedBatch {
    this.#batch ??= new ReceivedBatch()
    return this.#batch
  }

  #callBack(batch: ReceivedBatch): void {
    try {
      this.#onBatch?.(batch)
    } finally {
      batch.close()
    }
  }

  /** The next row as a frame of its own. */
  #takeRow(): ReceivedFrame {
    const table = this.#table
    const row = this.#row++
    const bearing = table.bearing(row)
    this.#tally.count(table, row, row + 1)
    if (this.#isSealed(row) && bearing !== undefined && this.#failure === undefined) {
      try {
        return sealedFrame(table, row, bearing, this.#settings.limits)
      } catch (error) {
        this.#failure = error as Error // the stream's end, behind the frames before; this one is closed
      }
    }
    return new ReceivedFrame(table.bytes, table.start(row), table.end(row), bearing?.fds, bearing?.lost ?? 0)
  }

  #isSealed(row: number): boolean {
    return this.#settings.sealable && (this.#table.flags(row) & memfdFlag) !== 0
  }

  #holdBack(): void {
    if (this.#heldBack) return
    this.#heldBack = true
    this.#tally.pauses++
    this.#socket.pause()
  }

  /** Receives on, unless the inbox is full or the user has paused; tells of the end once the inbox is empty. */
  #goOn(): void {
    if (this.#over) return
    if (this.#ending !== undefined) {
      this.#settle()
      return
    }
    if (this.#standstill.asked) this.#comeToRest()
    if (this.#standstill.quiet) return
    if (this.#holds || this.#inbox.bytes > this.#settings.highWaterMark / 2) return
    this.#heldBack = false
    this.#socket.resume()
  }

  /** Between two wake-ups: stops reading as soon as nothing but plain bytes is half there, and is done once all is consumed. */
  #comeToRest(): void {
    if (this.#over) this.#settleStandstill()
    if (this.#over || this.#ending !== undefined || this.#delivering) return
    if (this.#decoder?.resumable !== false) {
      this.#standstill.becomeQuiet()
      this.#socket.pause()
    }
    if (!this.#standstill.quiet || !this.#inbox.empty) return
    this.#ownInbox.finish(undefined)
    this.#settleStandstill()
  }

  /** Whoever iterates is at work with the last frame until the next one is asked for. */
  #settleStandstill(): void {
    if (this.#consumer !== 'iterator' || this.#inbox.told) this.#standstill.settle()
  }

  #drainSoon(): void {
    if (this.#drainDue) return
    this.#drainDue = true
    nextTick(() => {
      this.#drainDue = false
      this.#drain()
    })
  }

  /** Hands on what waits in the inbox; an exception of whoever consumes only delays the rest. */
  #drain(): void {
    try {
      while (!this.#holds && !this.#over) {
        const frame = this.#inbox.shift()
        if (frame === undefined) break
        this.#handOver(frame)
      }
    } finally {
      if (!this.#over && !this.#holds && !this.#inbox.empty) this.#drainSoon()
    }
    this.#goOn()
  }

  #settle(): void {
    if (this.#ending === undefined || !this.#inbox.empty || this.#over) return
    this.#over = true
    this.#ownInbox.finish(this.#ending.error)
    this.#settleStandstill()
    this.#hooks.onReceivingEnded(this.#ending.error)
  }
}
