/**
 * FrameSender: from `send` to the socket's queue, and the promises of those who wait for it.
 *
 * Here sent descriptors change owner: borrowed until the frame is in the kernel or duplicated, or taken over with
 * `transfer`. Knows nothing of receiving.
 */
import { ClosedError, type PillionError, UsageError } from '../errors.js'
import { FrameEncoder, memfdFlag, type OutgoingPiece } from '../framing/index.js'
import { surrender } from '../transport/descriptor.js'
import { closeDescriptors, Descriptor, type UnixSocket } from '../transport/index.js'
import { commitToSlab, largestInSlab, reserveInSlab, sendSlabCursor, slabBytes } from '../transport/send-slab.js'
import { systemFailure } from '../transport/system-failure.js'
import type { StreamSettings } from './options.js'

export interface SendOptions {
  /** The descriptors are taken over instead of duplicated, once the frame is found to be sendable. */
  readonly transfer?: boolean
}

export interface SenderHooks {
  onDrain(): void
  onRefused(error: PillionError): void
  /** This direction has been ended, properly. */
  onEnded(): void
}

interface Waiter {
  /** How far the queue must have come. */
  readonly until: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

export class FrameSender {
  readonly #socket: UnixSocket
  readonly #settings: StreamSettings
  readonly #hooks: SenderHooks
  readonly #encoder: FrameEncoder
  readonly #flushes: Waiter[] = []
  readonly #ends: Waiter[] = []
  readonly #drains: Waiter[] = []
  #overMark = false
  #ending: Promise<void> | undefined
  #done = false
  #failure: Error | undefined
  /** The frame that `send` is sending, and what became of it meanwhile. */
  #group = 0
  #sendingGroup = -1
  #refusal: PillionError | undefined
  #frames = 0
  #descriptors = 0
  #refused = 0

  constructor(socket: UnixSocket, settings: StreamSettings, hooks: SenderHooks) {
    this.#socket = socket
    this.#settings = settings
    this.#hooks = hooks
    this.#encoder = new FrameEncoder(settings.codec, settings.limits)
  }

  /** Everything is sent and this direction ended, or it has failed. */
  get done(): boolean {
    return this.#done || this.#failure !== undefined
  }

  get stats(): { frames: number; descriptors: number; refused: number } {
    return { frames: this.#frames, descriptors: this.#descriptors, refused: this.#refused }
  }

  send(
    payload: Uint8Array | readonly Uint8Array[],
    descriptors?: Iterable<Descriptor | number>,
    options?: SendOptions,
  ): boolean {
    this.#checkOpen()
    if (
      descriptors === undefined &&
      payload instanceof Uint8Array &&
      payload.length < largestInSlab &&
      payload.length < this.#settings.memfdFrom
    ) {
      this.#sendSmall(payload)
    } else {
      this.#sendAny(payload, descriptors === undefined ? [] : [...descriptors], options?.transfer === true)
    }
    return !this.#isOverMark()
  }

  drained(signal: AbortSignal | undefined): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (!this.#overMark) return Promise.resolve()
    return wait(this.#drains, this.#settings.highWaterMark, signal)
  }

  flush(signal: AbortSignal | undefined): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const { queue } = this.#socket
    if (queue.empty) return Promise.resolve()
    return wait(this.#flushes, queue.queued, signal)
  }

  /** As `flush`, but a frame that is refused alone does not keep the direction from ending. */
  #emptied(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    const { queue } = this.#socket
    return queue.empty ? Promise.resolve() : wait(this.#ends, queue.queued, undefined)
  }

  end(signal: AbortSignal | undefined): Promise<void> {
    this.#ending ??= this.#emptied().then(() => {
      if (this.#done || this.#failure !== undefined) return
      this.#done = true
      this.#socket.shutDown()
      this.#hooks.onEnded()
    })
    this.#ending.catch(() => {}) // whoever awaits it is told all the same
    return signal === undefined ? this.#ending : raceSignal(this.#ending, signal)
  }

  /** Bytes left the queue. */
  sent(): void {
    this.#settle(this.#flushes)
    this.#settle(this.#ends)
    if (!this.#overMark || this.#waiting() > this.#settings.highWaterMark) return
    this.#overMark = false
    for (const waiter of this.#drains.splice(0)) waiter.resolve()
    this.#hooks.onDrain()
  }

  /** The socket dropped a frame alone. */
  refused(group: number, error: PillionError): void {
    if (group === this.#sendingGroup) {
      this.#refusal = error // `send` throws it
      return
    }
    this.#refused++
    const told = this.#flushes.splice(0)
    for (const waiter of told) waiter.reject(error)
    this.sent()
    if (told.length === 0) this.#hooks.onRefused(error)
  }

  /** Sending is over. True if somebody was waiting and has been told. */
  fail(error: Error): boolean {
    if (this.#failure !== undefined) return false
    this.#failure = error
    const told = [...this.#flushes.splice(0), ...this.#ends.splice(0), ...this.#drains.splice(0)]
    for (const waiter of told) waiter.reject(error)
    return told.length > 0
  }

  #checkOpen(): void {
    if (this.#failure !== undefined) {
      throw new ClosedError(`the stream is closed: ${this.#failure.message}`, { cause: this.#failure })
    }
    if (this.#ending !== undefined) throw new ClosedError('this direction of the stream has been ended')
  }

  /** The hot path: one small payload, no descriptors. */
  #sendSmall(payload: Uint8Array): void {
    const encoder = this.#encoder
    const length = encoder.wireLength(encoder.check(payload, 0))
    const slab = reserveInSlab(length)
    const at = sendSlabCursor()
    const end = encoder.writeSmall(slab, at, payload)
    commitToSlab(end)
    this.#socket.queue.pushPlain(slab, at, end, ++this.#group)
    this.#frames++
    this.#socket.requestFlush()
  }

  #sendAny(
    payload: Uint8Array | readonly Uint8Array[],
    given: readonly (Descriptor | number)[],
    transfer: boolean,
  ): void {
    const { memfdFrom, sealable } = this.#settings
    const length = this.#encoder.check(payload, given.length)
    if (sealable && length >= memfdFrom) {
      this.#sendSealed(payload, length, given, transfer)
      return
    }
    const numbers = given.map(numberOf) // the last thing that can refuse: nothing has been touched so far
    this.#queueFrame(payload, transfer ? takeOver(given) : numbers, transfer, 0)
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
    this.#encoder.check(inline, given.length + 1)
    const numbers = given.map(numberOf)
    const content = payload instanceof Uint8Array ? payload : Buffer.concat(payload, length)
    using memfd = Descriptor.memfd(content, { name: 'pillion-payload' })
    const fds = transfer ? takeOver(given) : numbers
    fds.push(transfer ? surrender(memfd) : memfd.fd)
    this.#queueFrame(inline, fds, transfer, memfdFlag)
  }

  #queueFrame(
    payload: Uint8Array | readonly Uint8Array[],
    fds: readonly number[],
    owned: boolean,
    flags: number,
  ): void {
    const group = ++this.#group
    const copied = this.#encoder.copiedLength(payload, largestInSlab)
    const inSlab = copied <= slabBytes
    const memory = inSlab ? reserveInSlab(copied) : new Uint8Array(copied)
    const at = inSlab ? sendSlabCursor() : 0
    const pieces: OutgoingPiece[] = []
    const end = this.#encoder.write(memory, at, payload, { fds, flags, copyBelow: largestInSlab }, pieces)
    if (inSlab) commitToSlab(end)
    const { queue } = this.#socket
    for (const [i, piece] of pieces.entries()) {
      if (piece.startsSend || piece.endsSend) queue.push({ ...piece, owned, begins: i === 0, group })
      else queue.pushPlain(piece.bytes, piece.start, piece.end, group)
    }
    this.#frames++
    this.#descriptors += fds.length
    if (fds.length === 0 || owned) this.#socket.requestFlush()
    else this.#sendBorrowed(group)
  }

  /** Sends at once what it can, so that no duplicate is needed, and duplicates what has to wait. */
  #sendBorrowed(group: number): void {
    const { queue } = this.#socket
    this.#sendingGroup = group
    try {
      this.#socket.flush()
    } finally {
      this.#sendingGroup = -1
    }
    let error = this.#refusal
    this.#refusal = undefined
    if (error === undefined && !queue.empty) {
      const duplicated = queue.own(group)
      if (duplicated < 0) {
        queue.dropTail(group)
        error = systemFailure(duplicated, 'fcntl', undefined, 'a descriptor could not be duplicated for the queue')
      }
    }
    if (error === undefined) return
    this.#refused++
    throw error
  }

  #waiting(): number {
    const { queue } = this.#socket
    return queue.queued - queue.settled
  }

  #isOverMark(): boolean {
    if (this.#waiting() > this.#settings.highWaterMark) this.#overMark = true
    return this.#overMark
  }

  #settle(waiters: Waiter[]): void {
    const { settled } = this.#socket.queue
    while (waiters.length > 0 && (waiters[0] as Waiter).until <= settled) waiters.shift()?.resolve()
  }
}

function numberOf(descriptor: Descriptor | number): number {
  if (descriptor instanceof Descriptor) return descriptor.fd
  if (Number.isInteger(descriptor) && descriptor >= 0) return descriptor
  throw new UsageError(`a descriptor is a Descriptor or a number from 0 on, not ${String(descriptor)}`)
}

/** The numbers, owned by the ledger from now on; if one cannot be taken over, those before it are closed. */
function takeOver(given: readonly (Descriptor | number)[]): number[] {
  const fds: number[] = []
  try {
    for (const descriptor of given) {
      fds.push(surrender(descriptor instanceof Descriptor ? descriptor : Descriptor.own(descriptor)))
    }
  } catch (error) {
    closeDescriptors(fds)
    throw error
  }
  return fds
}

function wait(waiters: Waiter[], until: number, signal: AbortSignal | undefined): Promise<void> {
  const waiting = new Promise<void>((resolve, reject) => waiters.push({ until, resolve, reject }))
  return signal === undefined ? waiting : raceSignal(waiting, signal)
}

/** The promise, or the signal's reason if that comes first; listens no longer than it waits. */
function raceSignal(waiting: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    waiting.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
