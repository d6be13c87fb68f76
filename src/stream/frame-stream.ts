/**
 * FrameStream: a connected socket and a codec, joined: frames with their descriptors, both ways.
 *
 * The life of the connection is here; sending is frame-sender.ts's, receiving and consuming frame-receiver.ts's.
 */

import type { ReadableStream, WritableStream } from 'node:stream/web'
import { EventEmitter } from 'eventemitter3'
import { checkFunction, shown } from '../arguments.js'
import { ClosedError, type PillionError, UsageError } from '../errors.js'
import { nextTick } from '../event-loop.js'
import type { Codec, CodecConnection, FrameLimits } from '../framing/index.js'
import { adoptOwned } from '../transport/descriptor.js'
import {
  type Descriptor,
  type Peer,
  type Pressure,
  type Received,
  type RefusedGroup,
  type SocketHandlers,
  UnixSocket,
} from '../transport/index.js'
import { onAbort } from '../transport/shared-signal.js'
import { warnOnce } from '../transport/warn-once.js'
import type { Detached } from './detached.js'
import type { Frame } from './frame.js'
import type { BatchOptions, FrameBatch } from './frame-batch.js'
import { FrameReceiver, type ReceiverHooks } from './frame-receiver.js'
import { FrameSender, type SenderHooks, type SendOptions } from './frame-sender.js'
import type { StreamSettings } from './options.js'
import type { StreamStats } from './stream-stats.js'
import { type WaitOptions, waiting } from './wait-options.js'
import { type OutgoingFrame, readableOf, type Writable, writableOf } from './web-streams.js'

export interface StreamEvents {
  frame: [frame: Frame]
  /** Below the high-water mark again, after `send` returned false. */
  drain: []
  /** The peer has ended its direction, and all its frames have been consumed. */
  end: []
  /** What ended the stream abnormally; then `close`. */
  error: [error: Error]
  close: []
  /** Waiting for the machine rather than losing: docs/guarantees.md. */
  pressure: [pressure: Pressure]
  /** A queued frame was dropped alone, none of its bytes sent: the peer refuses descriptors, or pressure lasted. */
  refused: [error: PillionError]
}

const nothingSent: FrameSender['stats'] = { frames: 0, descriptors: 0, refused: 0, lost: 0 }

/**
 * Make one by `connect`, `listen`, `pair` or `adopt`.
 *
 * Consume its frames in one way: iterate it, listen to `frame`, call `onBatch`, or read `readable`; a second way is a
 * UsageError. Nothing is received before. An abnormal end (the peer breaks the protocol, the connection is reset, a
 * socket error) reaches whoever iterates, awaits or listens to `error`; one that nobody can see is a single process
 * warning. What the peer sent before is consumed first.
 *
 * A stream that was ended on both sides closes by itself; one whose peer has ended stays half-open until `end` or
 * `destroy`. `await using` does both: it flushes, ends and closes.
 */
export class FrameStream extends EventEmitter<StreamEvents> implements AsyncIterable<Frame>, AsyncDisposable {
  readonly #socket: UnixSocket
  readonly #receiver: FrameReceiver
  /** Made when there is something to send, or to refuse: a connection that is only there does without. */
  #sender: FrameSender | undefined
  readonly #connection: CodecConnection | undefined
  readonly #hooks: SenderHooks
  readonly #settings: StreamSettings
  readonly #stopListening: (() => void) | undefined
  #readable: ReadableStream<Frame> | undefined
  #writable: Writable | undefined
  /** Whoever holds `writable` sees why nothing can be sent. */
  #writableFailed = false
  #pressures = 0
  #state: 'open' | 'failing' | 'closed' = 'open'
  #error: Error | undefined
  #closed: Promise<void> | undefined
  #settleClosed: { resolve(): void; reject(error: Error): void } | undefined

  /**
   * A stream over a connected socket in the ledger, which it owns from the call on, also when this throws.
   * @param address that errors name
   * @param signal that destroys it
   * @param unread bytes of the connection that were received before
   * @internal
   */
  static over(
    fd: number,
    settings: StreamSettings,
    address?: string,
    signal?: AbortSignal,
    unread?: Uint8Array,
  ): FrameStream {
    const stream = new FrameStream(fd, settings, address, signal)
    if (unread !== undefined && unread.length > 0) stream.#begin(new Uint8Array(unread))
    return stream
  }

  private constructor(
    fd: number,
    settings: StreamSettings,
    address: string | undefined,
    signal: AbortSignal | undefined,
  ) {
    super()
    this.#settings = settings
    const hooks = new FrameStream.#Hooks(this)
    this.#hooks = hooks
    const { socket, codec, limits } = settings
    this.#socket = new UnixSocket(fd, hooks, undefined, { address, longest: limits.maxPayload, settings: socket })
    try {
      this.#connection = codec?.connection(limits)
      this.#receiver = new FrameReceiver(this.#socket, settings, this.#connection, hooks)
      if (signal?.aborted === true) this.destroy(abortReason(signal))
      else if (signal !== undefined) this.#stopListening = onAbort(signal, () => this.destroy(abortReason(signal)))
    } catch (error) {
      this.#socket.close() // a codec's or an option's own code has thrown
      throw error
    }
  }

  /**
   * Queues a frame; it goes out at once when the connection is idle, else together with this tick's others.
   *
   * The caller may close its own descriptors as soon as it returns: a `Descriptor` that is closed leaves its number to the
   * frames that wait with it, a number is sent at once or duplicated. With `transfer` they are taken over, from a
   * validated call on, whatever comes of the frame. As with node:net, the payload's bytes must not change
   * until they are flushed. Several chunks make one payload.
   *
   * False: more is queued than the high-water mark; wait for `drained`. Throws at once on what can never be sent:
   * FrameTooLargeError, TooManyDescriptorsError, ClosedError (ended, destroyed, or a closed Descriptor), UsageError,
   * SystemError EBADF (a number that is not open) or EMFILE (no room for a number's duplicate), PermissionError (the peer refuses
   * descriptors). What is found out only once the frame has been queued, or taken over, is told by `refused`.
   */
  send(
    payload: Uint8Array | readonly Uint8Array[],
    descriptors?: Iterable<Descriptor | number>,
    options?: SendOptions,
  ): boolean {
    return (this.#sender ?? this.#ownSender).send(payload, descriptors, options)
  }

  /** What was sent and is not in the kernel yet: what is held against `highWaterMark`. */
  get queuedBytes(): number {
    return this.#sender?.queuedBytes ?? 0
  }

  /** Resolves once no more than the high-water mark is queued. Rejects with what ended the stream. */
  drained(options: WaitOptions = {}): Promise<void> {
    return waiting(options, (signal) => this.#ownSender.drained(signal))
  }

  /**
   * Resolves once all that was sent so far is in the kernel. Rejects with what ended the stream, or with what one of
   * these frames was refused for.
   */
  flush(options: WaitOptions = {}): Promise<void> {
    return waiting(options, (signal) => this.#ownSender.flush(signal))
  }

  /**
   * Resolves once whoever wrote what was sent may write into the bytes again, and may go on: they are in the kernel or
   * copied, and no more than the mark is queued. undefined: at once. A frame that is refused alone is told by `refused`
   * alone. Rejects with what ended the stream.
   * @internal
   */
  released(): Promise<void> | undefined {
    return this.#sender?.released()
  }

  /** Whether `end` was called. @internal */
  get ending(): boolean {
    return this.#sender?.ending === true
  }

  /** Sends no more: flushes, then tells the peer that this direction has ended. Receiving goes on. */
  end(options: WaitOptions = {}): Promise<void> {
    return waiting(options, (signal) => this.#ownSender.end(signal))
  }

  /**
   * Ends both directions now: what is queued either way is closed. With an error, that is the stream's abnormal end.
   */
  destroy(error?: Error): void {
    if (error !== undefined && !(error instanceof Error)) {
      throw new UsageError(`a stream is destroyed with an Error or without, not with ${shown(error)}`)
    }
    if (this.#state === 'closed') return
    this.#finish(this.#error ?? error)
  }

  /**
   * Receives no more, so that the connection can go to somebody else by `detach`; what the peer sends waits in the kernel.
   * What has been received is consumed as ever: an iterator is done behind the last frame, while `end` is not emitted,
   * since the peer has not ended. A frame whose descriptors have come, all or some, is received to its end first.
   *
   * Resolves when everything has been consumed: by an iterator, when it is asked for more; by event or batch, when the
   * callback has returned. While paused, or with nobody who consumes, that waits. Sending goes on. It cannot be undone
   * but by `detach` and `adopt`. Rejects with what ended the stream.
   */
  stopReceiving(options: WaitOptions = {}): Promise<void> {
    return waiting(options, (signal) => this.#receiver.stop(signal))
  }

  /**
   * Gives the connection away, with its state on the wire: to be adopted by another process, a hot restart's successor, or
   * by another stream of this one, with the same options. This stream is closed then, and `closed` resolves; the peer
   * notices nothing. Before it: `stopReceiving`, the answers to what came, `flush`.
   *
   * Throws UsageError while frames may come, wait to be consumed or wait to be sent, and once this direction was ended;
   * ClosedError once the stream is closed. Then nothing has changed.
   */
  detach(): Detached {
    if (this.#state !== 'open') throw new ClosedError('the stream is closed: there is no connection to detach')
    const begun = this.#receiver.begun()
    this.#sender?.checkIdle()
    const { fd, carried } = this.#socket.release()
    const socket = adoptOwned(fd)
    try {
      this.#finish(undefined)
    } catch (error) {
      socket.close() // a listener has thrown, and the caller is not given it
      throw error
    }
    return { socket, unread: begun.length === 0 ? carried : begun }
  }

  /** True once destroyed, detached or ended both ways. */
  get destroyed(): boolean {
    return this.#state === 'closed'
  }

  /**
   * Resolves when both directions are done; rejects with what ended the stream abnormally. It makes no unhandled
   * rejection by itself.
   */
  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = new Promise((resolve, reject) => {
        this.#settleClosed = { resolve, reject }
      })
      this.#closed.catch(() => {}) // whoever awaits it is told all the same
      if (this.#state === 'closed') this.#settle()
    }
    return this.#closed
  }

  /**
   * Who is at the other end. Its pid, uid and gid are known after the end as well; `groups`, `label` and `pidfd()` throw
   * ClosedError then, unless they were asked for before. Throws SystemError where the kernel knows nobody.
   */
  get peer(): Peer {
    return this.#socket.peer
  }

  /** Of each frame, both ways: `maxPayload` and `maxDescriptors`. */
  get limits(): FrameLimits {
    return this.#settings.limits
  }

  /** The wire format; undefined where the kernel keeps the boundaries of messages. */
  get codec(): Codec | undefined {
    return this.#settings.codec
  }

  get stats(): StreamStats {
    const { bytesReceived, bytesSent, receiveCalls, sendCalls, sendPauses } = this.#socket.stats
    return {
      received: { ...this.#receiver.stats, bytes: bytesReceived, systemCalls: receiveCalls },
      sent: { ...(this.#sender?.stats ?? nothingSent), bytes: bytesSent, systemCalls: sendCalls, pauses: sendPauses },
      pressures: this.#pressures,
    }
  }

  /** The frames as a web stream. */
  get readable(): ReadableStream<Frame> {
    this.#readable ??= readableOf(this)
    return this.#readable
  }

  /** Sending as a web stream. It fails as soon as nothing can be sent any more. */
  get writable(): WritableStream<OutgoingFrame> {
    if (this.#writable === undefined) {
      this.#writable = writableOf(this)
      const failure = this.#sender?.failure
      if (failure !== undefined || this.#state === 'closed') this.#failWritable(failure)
    }
    return this.#writable.stream
  }

  /**
   * The fast path: all frames of a wake-up in one call, in place. The batch, its bytes and its descriptors are valid
   * only during the callback; what it wants to keep it copies (`batch.frame(i)`) or takes. Throws UsageError for
   * arguments that can never work, and where frames are consumed already.
   */
  onBatch(callback: (batch: FrameBatch) => void, options: BatchOptions = {}): void {
    this.#receiver.consumeByBatch(callback, options)
  }

  /** One frame after the other. Leaving the loop early destroys the stream. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Frame, undefined> {
    this.#receiver.consumeByIterator()
    const iterator: AsyncIterableIterator<Frame, undefined> = {
      next: () => this.#receiver.next(),
      return: () => {
        this.destroy()
        return Promise.resolve({ value: undefined, done: true })
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  /** Holds back `frame` events and batches until `resume`; the peer's writes then wait. */
  pause(): this {
    this.#receiver.pause()
    return this
  }

  resume(): this {
    this.#receiver.resume()
    return this
  }

  /** Keeps the process alive while it waits for the peer (the default), or not. */
  ref(): this {
    this.#socket.ref()
    return this
  }

  unref(): this {
    this.#socket.unref()
    return this
  }

  override on<E extends keyof StreamEvents>(
    event: E,
    listener: EventEmitter.EventListener<StreamEvents, E>,
    context?: unknown,
  ): this {
    checkFunction('a listener', listener)
    if (event === 'frame') this.#receiver.consumeByEvent()
    return super.on(event, listener, context)
  }

  override addListener<E extends keyof StreamEvents>(
    event: E,
    listener: EventEmitter.EventListener<StreamEvents, E>,
    context?: unknown,
  ): this {
    return this.on(event, listener, context)
  }

  override once<E extends keyof StreamEvents>(
    event: E,
    listener: EventEmitter.EventListener<StreamEvents, E>,
    context?: unknown,
  ): this {
    checkFunction('a listener', listener)
    if (event === 'frame') this.#receiver.consumeByEvent()
    return super.once(event, listener, context)
  }

  /** Flushes, ends, and closes; what the peer still sends is not waited for. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === 'open') await this.end().catch((error: Error) => this.destroy(error))
    this.destroy()
  }

  /** What the socket and the two directions tell, which users are not to see: one object for all of it. */
  static readonly #Hooks = class implements SocketHandlers, SenderHooks, ReceiverHooks {
    readonly #stream: FrameStream

    constructor(stream: FrameStream) {
      this.#stream = stream
    }

    onReceived(received: Received): number {
      return this.#stream.#receiver.take(received)
    }

    onDeliver(received: Received): void {
      this.#stream.#receiver.deliver(received)
    }

    onEnd(): void {
      this.#stream.#receiver.end()
    }

    onReceiveError(error: PillionError): void {
      this.#stream.#receiver.fail(error)
    }

    onSendError(error: PillionError): void {
      this.#stream.#failedToSend(error)
    }

    onRefused(refused: RefusedGroup): void {
      this.#stream.#sender?.refused(refused)
    }

    onSent(): void {
      this.#stream.#sender?.sent()
    }

    onPressure(pressure: Pressure): void {
      this.#stream.#waits(pressure)
    }

    onDrain(): void {
      this.#stream.emit('drain')
    }

    onRefusedFrame(error: PillionError, told: boolean): void {
      this.#stream.#refused(error, told)
    }

    onStuck(error: PillionError): void {
      this.#stream.destroy(error)
    }

    onSendingEnded(): void {
      this.#stream.#receiver.awaitEnd()
      this.#stream.#directionDone()
    }

    onFrame(frame: Frame): boolean {
      return this.#stream.#emitFrame(frame)
    }

    onBroken(error: Error): void {
      this.#stream.#broken(error)
    }

    onReceivingEnded(error: Error | undefined): void {
      this.#stream.#receivedAll(error)
    }
  }

  get #ownSender(): FrameSender {
    this.#sender ??= new FrameSender(this.#socket, this.#settings, this.#connection, this.#hooks)
    return this.#sender
  }

  #waits(pressure: Pressure): void {
    this.#pressures++
    // Not from within `send`: a listener may call it.
    nextTick(() => this.#state !== 'closed' && this.emit('pressure', pressure))
  }

  /** False: nobody listens. */
  #emitFrame(frame: Frame): boolean {
    return super.emit('frame', frame)
  }

  #begin(unread: Uint8Array): void {
    const consumed = this.#receiver.begin(unread)
    this.#socket.preload(unread, consumed)
  }

  /** The peer's fault, or the connection's: nothing more can be received, and nothing be sent. */
  #broken(error: Error): void {
    this.#error = error
    this.#state = 'failing'
    this.#endSending(error)
    this.#socket.close()
  }

  /** All that was received has been consumed, and nothing more comes. */
  #receivedAll(error: Error | undefined): void {
    if (error === undefined) {
      try {
        super.emit('end')
      } finally {
        this.#directionDone()
      }
    } else {
      this.#finish(error)
    }
  }

  /** What the peer sent before it went is still there to be received: that direction ends by itself. */
  #failedToSend(error: PillionError): void {
    this.#endSending(error)
    this.#error ??= error
    if (!this.#receiver.receiving) this.destroy(error)
  }

  #endSending(error: Error): void {
    this.#ownSender.fail(error)
    this.#failWritable(error)
  }

  #failWritable(error: Error | undefined): void {
    if (this.#writable?.fail(error ?? new ClosedError('the stream is closed')) === true) this.#writableFailed = true
  }

  #directionDone(): void {
    if (this.#state === 'open' && this.#receiver.done && this.#sender?.done === true) this.#finish(this.#error)
  }

  #refused(error: PillionError, told: boolean): void {
    if (this.emit('refused', error) || told) return
    warnOnce(
      'PILLION_REFUSED_FRAME',
      `a frame was dropped and nobody listens: ${error.message}`,
      "Listen to 'refused', or await flush().",
    )
  }

  #finish(error: Error | undefined): void {
    this.#state = 'closed'
    this.#error = error
    this.#stopListening?.()
    this.#socket.close()
    this.#receiver.discard(error)
    // Whoever asks later about what was sent and ended properly is not told of a failure.
    if (error !== undefined || this.#sender?.done !== true) {
      this.#endSending(error ?? new ClosedError('the stream was destroyed'))
    } else {
      this.#failWritable(undefined)
    }
    this.#settle()
    try {
      if (error !== undefined && !this.emit('error', error)) nextTick(() => this.#warnUnlessObserved(error))
    } finally {
      this.emit('close')
    }
  }

  /** Behind the code that is running, which may be about to look: it is inside `send`, or has just made the stream. */
  #warnUnlessObserved(error: Error): void {
    if (this.#closed !== undefined || this.#sender?.told === true || this.#receiver.isIterated || this.#writableFailed)
      return
    warnOnce(
      'PILLION_UNOBSERVED_ERROR',
      `a stream ended abnormally and nobody listens: ${error.message}`,
      "Listen to 'error', await `closed`, or iterate.",
    )
  }

  #settle(): void {
    if (this.#error === undefined) this.#settleClosed?.resolve()
    else this.#settleClosed?.reject(this.#error)
  }
}

function abortReason(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof Error ? reason : new ClosedError(`the stream's signal was aborted: ${shown(reason)}`)
}
