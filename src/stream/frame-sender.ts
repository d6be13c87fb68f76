/**
 * FrameSender: from `send` to the socket's queue, and the promises of those who wait for it.
 *
 * Says when a frame goes: with others of its tick, or at once. Knows nothing of receiving.
 */
import { checkBoolean, checkOptions, listOf } from '../arguments.js'
import { ClosedError, type PillionError, UsageError } from '../errors.js'
import { nextTick } from '../event-loop.js'
import { memfdFlag } from '../framing/codecs/pillion.js'
import type { CodecConnection } from '../framing/index.js'
import { exactPayload, isBytes, lengthOf, payloadLength } from '../framing/payload.js'
import { loanOf } from '../transport/descriptor.js'
import { Descriptor, type RefusedGroup, type UnixSocket } from '../transport/index.js'
import { numbersLeft } from '../transport/loan.js'
import { binding } from '../transport/native.js'
import type { OutgoingQueue } from '../transport/outgoing-queue.js'
import { plainGroup } from '../transport/send-queue.js'
import { largestInSlab } from '../transport/send-slab.js'
import { systemFailure } from '../transport/system-failure.js'
import { descriptorWeight, type StreamSettings } from './options.js'
import { areDescriptors, numberOf, recallAll, takeOver } from './outgoing-descriptors.js'
import { MessageOutlet, type Outlet, StreamOutlet } from './outlet.js'
import { raceSignal } from './race-signal.js'
import { settle, taken, type Waiter, wait } from './waiters.js'

export interface SendOptions {
  /** The descriptors are taken over instead of borrowed, once the frame is found to be sendable. */
  readonly transfer?: boolean
}

export interface SenderHooks {
  onDrain(): void
  /** A frame was dropped alone; `told`: somebody who waits for it knows. */
  onRefusedFrame(error: PillionError, told: boolean): void
  /** Nothing more can be sent: a frame is stuck half way. */
  onStuck(error: PillionError): void
  /** This direction has been ended, properly. */
  onSendingEnded(): void
}

const noPayload = new Uint8Array(0)
/** So many lent descriptors go out together: a sendmmsg's fill of frames that bear one. */
const gatheredDescriptors = 64
/** So many places of the table may be kept by frames that wait, when their Descriptors have been closed. */
const mostNumbersLeft = 64

export class FrameSender {
  readonly #socket: UnixSocket
  readonly #settings: StreamSettings
  readonly #hooks: SenderHooks
  readonly #queue: OutgoingQueue
  readonly #outlet: Outlet
  /** The same, where short payloads without descriptors have a way of their own. */
  readonly #stream: StreamOutlet | undefined
  /** Payloads shorter than this are copied into the slab. */
  readonly #smallBelow: number
  /** Payloads no longer than this may be appended. */
  readonly #longestAppended: number
  readonly #highWaterMark: number
  // Those who wait: made when there is somebody.
  #flushes: Waiter[] | undefined
  /** Whom a frame that is refused alone does not concern. */
  #passes: Waiter[] | undefined
  #drains: Waiter[] | undefined
  #overMark = false
  /** Up to here the queue refers to bytes of whoever sent them. */
  #referredUntil = 0
  #ending: Promise<void> | undefined
  /** How many wait for `#ending` and have not given up. */
  #endAwaited = 0
  #done = false
  #failure: Error | undefined
  #told = false
  /** The frame that `send` is sending, and what became of it meanwhile. */
  #group = plainGroup
  #sendingGroup: number | undefined
  #refusal: PillionError | undefined
  /** The peer takes descriptors, as far as is known: it took the last that were sent at once. */
  #peerTakes = false
  #frames = 0
  #descriptors = 0
  #refused = 0
  #lost = 0

  constructor(
    socket: UnixSocket,
    settings: StreamSettings,
    connection: CodecConnection | undefined,
    hooks: SenderHooks,
  ) {
    this.#socket = socket
    this.#settings = settings
    this.#hooks = hooks
    this.#queue = socket.outgoing
    this.#smallBelow = Math.min(largestInSlab, settings.memfdFrom)
    this.#highWaterMark = settings.highWaterMark
    const { codec, limits } = settings
    this.#stream = codec === undefined ? undefined : new StreamOutlet(socket, codec, limits, connection)
    this.#longestAppended = Math.min(this.#smallBelow - 1, this.#stream?.longestUnchecked ?? -1)
    this.#outlet = this.#stream ?? new MessageOutlet(socket, limits)
  }

  /** This direction ends, or has ended, properly. */
  get ending(): boolean {
    return this.#ending !== undefined
  }

  /** Everything is sent and this direction ended, or it has failed. */
  get done(): boolean {
    return this.#done || this.#failure !== undefined
  }

  /** Why nothing can be sent any more. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** Whoever sends or waits has been told of the failure. */
  get told(): boolean {
    return this.#told
  }

  get stats(): { frames: number; descriptors: number; refused: number; lost: number } {
    return { frames: this.#frames, descriptors: this.#descriptors, refused: this.#refused, lost: this.#lost }
  }

  send(
    payload: Uint8Array | readonly Uint8Array[],
    descriptors?: Iterable<Descriptor | number>,
    options?: SendOptions,
  ): boolean {
    if (descriptors === undefined && isBytes(payload) && this.#append(payload)) return true
    return this.#sendChecked(payload, descriptors, options)
  }

  /** Where the frames before have left an open run, there is nothing to check or to ask for. */
  #append(payload: Uint8Array): boolean {
    const length = lengthOf(payload)
    if (length > this.#longestAppended || this.#stream?.append(payload, length) !== true) return false
    this.#frames++
    return true
  }

  #sendChecked(
    payload: Uint8Array | readonly Uint8Array[],
    descriptors: Iterable<Descriptor | number> | undefined,
    options: SendOptions | undefined,
  ): boolean {
    const stream = this.#stream
    const length = descriptors === undefined && isBytes(payload) ? lengthOf(payload) : largestInSlab
    if (stream !== undefined && length < this.#smallBelow) {
      this.#checkOpen()
      this.#sendSmall(stream, payload, length)
    } else {
      const given = descriptors === undefined ? [] : listOf('descriptors', descriptors)
      const transfer = options === undefined ? false : transferOf(options)
      const exact = exactPayload(payload)
      if (transfer) recallAll(given)
      this.#checkOpen() // after the arguments, which may be anybody's code
      const exactLength = given.length === 0 ? payloadLength(exact) : largestInSlab
      const isPlain = given.length === 0 && exact instanceof Uint8Array && exactLength < this.#settings.memfdFrom
      if (stream !== undefined && exactLength < this.#smallBelow) this.#sendSmall(stream, exact, exactLength)
      else if (stream !== undefined && isPlain) this.#sendWhole(stream, exact, exactLength)
      else this.#sendAny(exact, given, transfer)
    }
    if (this.#isOverMark()) return false
    const { leeway } = this.#socket
    if (leeway > 0) stream?.openRun(Math.min(leeway, this.#highWaterMark - this.queuedBytes))
    return true
  }

  drained(signal: AbortSignal | undefined): Promise<void> {
    if (this.#failure !== undefined) return this.#reject(this.#failure)
    if (!this.#overMark) return Promise.resolve()
    this.#drains ??= []
    return wait(this.#drains, this.#settings.highWaterMark, signal)
  }

  flush(signal: AbortSignal | undefined): Promise<void> {
    if (this.#failure !== undefined) return this.#reject(this.#failure)
    if (this.#queue.empty) return Promise.resolve()
    this.#flushes ??= []
    return wait(this.#flushes, this.#queue.queued, signal)
  }

  /** Until nothing refers to bytes of whoever sent them, and no more than the mark is queued; undefined: it is so. */
  released(): Promise<void> | undefined {
    const refers = this.#failure === undefined && this.#queue.settled < this.#referredUntil
    if (refers) return this.#passed(this.#referredUntil).then(() => this.drained(undefined))
    return this.#overMark ? this.drained(undefined) : undefined
  }

  /** As `flush`, but a frame that is refused alone does not keep what waits for the others. */
  #passed(until: number): Promise<void> {
    if (this.#failure !== undefined) return this.#reject(this.#failure)
    if (this.#queue.settled >= until) return Promise.resolve()
    this.#passes ??= []
    return wait(this.#passes, until, undefined)
  }

  end(signal: AbortSignal | undefined): Promise<void> {
    this.#ending ??= this.#passed(this.#queue.queued).then(() => {
      if (this.#done || this.#failure !== undefined) return
      this.#done = true
      this.#socket.shutDown()
      this.#hooks.onSendingEnded()
    })
    this.#ending.catch(() => {}) // whoever awaits it is told all the same
    this.#endAwaited++
    if (signal === undefined) return this.#ending
    return raceSignal(this.#ending, signal, () => this.#endAwaited--)
  }

  /** Throws UsageError unless this direction is open and all that was sent is in the kernel. */
  checkIdle(): void {
    if (this.#ending !== undefined) throw new UsageError('this direction has been ended: nobody could send on')
    if (!this.#queue.empty) throw new UsageError('frames wait to be sent: await flush() before detach()')
  }

  /** Bytes left the queue. */
  sent(): void {
    const { settled } = this.#queue
    settle(this.#flushes, settled)
    settle(this.#passes, settled)
    if (!this.#overMark || this.queuedBytes > this.#settings.highWaterMark) return
    this.#overMark = false
    for (const waiter of taken(this.#drains)) waiter.resolve()
    this.#tell(() => this.#hooks.onDrain())
  }

  /** The socket dropped a frame alone, behind the bytes that have gone. */
  refused({ group, error, sent, descriptors }: RefusedGroup): void {
    if (group === this.#sendingGroup) {
      this.#refusal = error // `send` throws it
      return
    }
    this.#peerTakes = false
    this.#refused++
    this.#lost += descriptors
    settle(this.#flushes, sent)
    const waiting = taken(this.#flushes)
    for (const waiter of waiting) waiter.reject(error)
    try {
      this.sent()
    } finally {
      this.#tell(() => this.#hooks.onRefusedFrame(error, waiting.length > 0))
    }
  }

  /** Sending is over. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    const waiting = [...taken(this.#flushes), ...taken(this.#drains)]
    const passes = taken(this.#passes)
    if (waiting.length > 0 || (passes.length > 0 && this.#endAwaited > 0)) this.#told = true
    for (const waiter of [...waiting, ...passes]) waiter.reject(error)
  }

  #reject(failure: Error): Promise<never> {
    this.#told = true
    return Promise.reject(failure)
  }

  /** What comes up while `send` is at work is told once it has returned: a listener may call `send` itself. */
  #tell(event: () => void): void {
    if (this.#sendingGroup !== undefined) nextTick(() => this.#tell(event))
    else if (this.#failure === undefined) event()
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) {
      this.#told = true
      throw new ClosedError(`the stream is closed: ${this.#failure.message}`, { cause: this.#failure })
    }
    if (this.#ending !== undefined) throw new ClosedError('this direction of the stream has been ended')
  }

  #sendSmall(stream: StreamOutlet, payload: Uint8Array | readonly Uint8Array[], length: number): void {
    stream.queueSmall(payload, length)
    this.#frames++
    this.#socket.requestFlush()
  }

  #sendWhole(stream: StreamOutlet, payload: Uint8Array, length: number): void {
    stream.queueWhole(payload, length)
    this.#referredUntil = this.#queue.queued
    this.#frames++
    this.#socket.requestFlush()
  }

  #sendAny(
    payload: Uint8Array | readonly Uint8Array[],
    given: readonly (Descriptor | number)[],
    transfer: boolean,
  ): void {
    const { memfdFrom, sealable } = this.#settings
    const length = this.#outlet.check(payload, given.length)
    if (sealable && length >= memfdFrom) {
      this.#sendSealed(payload, length, given, transfer)
      return
    }
    this.#queueFrame(payload, given, transfer, 0)
    if (length >= largestInSlab) this.#referredUntil = this.#queue.queued // outlet.ts copies what is shorter
  }

  /** The payload goes in a memfd of its own, the last of the descriptors; its length takes the payload's place. */
  #sendSealed(
    payload: Uint8Array | readonly Uint8Array[],
    length: number,
    given: readonly (Descriptor | number)[],
    transfer: boolean,
  ): void {
    const inline = new Uint8Array(8)
    new DataView(inline.buffer).setBigUint64(0, BigInt(length), true)
    this.#outlet.check(noPayload, given.length + 1) // the length is no payload, and may be over the limit of one
    given.forEach(numberOf)
    const content = payload instanceof Uint8Array ? payload : Buffer.concat(payload, length)
    using memfd = Descriptor.memfd(content, { name: 'pillion-payload' })
    this.#queueFrame(inline, [...given, memfd], transfer, memfdFlag)
  }

  #queueFrame(
    payload: Uint8Array | readonly Uint8Array[],
    given: readonly (Descriptor | number)[],
    transfer: boolean,
    flags: number,
  ): void {
    const numbers = given.map(numberOf) // the last thing that can refuse: nothing has been touched so far
    this.#checkSets(numbers)
    const fds = transfer ? takeOver(given) : numbers
    const outlet = this.#outlet
    const group = fds.length === 0 && !outlet.dropsPlain ? plainGroup : ++this.#group
    outlet.queue(group, payload, { fds, owned: transfer }, flags)
    if (group === plainGroup) this.#socket.requestFlush()
    else if (transfer || fds.length === 0) this.#sendAlone(group, transfer)
    else this.#sendBorrowed(group, given)
    this.#frames++
    this.#descriptors += fds.length
  }

  /** Borrowed descriptors go at once if they can, or with others of this tick. What waits is lent or duplicated. */
  #sendBorrowed(group: number, given: readonly (Descriptor | number)[]): void {
    const lent = areDescriptors(given)
    this.#sendAlone(group, false, lent && this.#mayGather() ? 'promptly' : 'now')
    if (this.#queue.empty) this.#peerTakes = true
    else if (lent) this.#queue.lend(group, given.map(loanOf))
    else this.#own(group)
  }

  /** Sends what can be dropped alone: `now`, with others of this tick, or so but `promptly` where it is the first of them. */
  #sendAlone(group: number, owned: boolean, when?: 'promptly' | 'now'): void {
    // Those taken over may go later, with others of this tick: what becomes of them is always told by event.
    this.#sendingGroup = owned ? plainGroup : group
    try {
      if (when === 'now') this.#socket.flush()
      else this.#socket.requestFlush(when === 'promptly')
    } finally {
      this.#sendingGroup = undefined
    }
    const refusal = this.#refusal
    this.#refusal = undefined
    if (refusal === undefined) return
    this.#peerTakes = false
    throw refusal
  }

  /**
   * Whether lent descriptors may wait for others of this tick. Not before the peer has taken some: `send` throws its refusal,
   * as long as nothing is known of it. Not beyond the mark, and not where closed ones keep many places of the table.
   */
  #mayGather(): boolean {
    if (!this.#peerTakes || numbersLeft() >= mostNumbersLeft) return false
    return this.#queue.descriptors < gatheredDescriptors && this.queuedBytes <= this.#highWaterMark
  }

  /** One that is not open fails the frame alone; in a later set it would be found when the first one has gone. */
  #checkSets(numbers: readonly number[]): void {
    if (numbers.length <= this.#outlet.maxDescriptorsPerSend) return
    for (const fd of numbers) {
      const kind = binding.descriptorKind(fd)
      if (typeof kind === 'number') throw systemFailure(kind, 'fstat', `fd ${fd}`)
    }
  }

  /** Duplicates the numbers that the last frame has borrowed and not sent yet. */
  #own(group: number): void {
    const duplicated = this.#queue.own(group)
    if (duplicated >= 0) return
    const error = systemFailure(
      duplicated,
      'fcntl',
      undefined,
      'a descriptor could not be duplicated for the queue; a Descriptor need not be, nor what goes with `transfer`',
    )
    // Half a frame cannot be called back: of several sets the first may have gone.
    if (!this.#queue.takeBack(group)) this.#hooks.onStuck(error)
    throw error
  }

  /** What waits to be sent, each descriptor counted as `highWaterMark` counts it. */
  get queuedBytes(): number {
    const queue = this.#queue
    return queue.queued - queue.settled + queue.descriptors * descriptorWeight
  }

  #isOverMark(): boolean {
    if (this.queuedBytes > this.#highWaterMark) this.#overMark = true
    return this.#overMark
  }
}

function transferOf(options: SendOptions): boolean {
  checkOptions(options)
  const { transfer } = options
  checkBoolean('transfer', transfer)
  return transfer === true
}
