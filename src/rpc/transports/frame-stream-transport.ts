/**
 * FrameStreamTransport: a session's messages as frames of a FrameStream, which it owns from now on.
 */
import { ClosedError, UsageError } from '../../errors.js'
import { clearTimeout, setTimeout } from '../../event-loop.js'
import type { FrameBatch, FrameStream } from '../../stream/index.js'
import { adoptOwned, surrender } from '../../transport/descriptor.js'
import type { Descriptor, Peer } from '../../transport/index.js'
import { gatherTick, handOver, isHandingOver, sendGathered } from '../../transport/turn.js'
import type { FrameReceiver, RpcTransport } from '../transport.js'
import { FrameTurns, type WaitingFrame } from './frame-turns.js'

/** The stream copies chunks that are shorter than this before `send` returns (FrameStream.send). */
const copiedBytes = 8 * 1024

/** For a peer that does not read, or does not end, once the session has ended. */
const lingerMilliseconds = 2000

/**
 * Frames of a wake-up whose answers leave together: so few that the peer has something to do while the others are served,
 * and so many that a system call is little beside them.
 */
const answeredTogether = 32

const none: readonly Descriptor[] = Object.freeze([])

export interface FrameStreamTransportOptions {
  /**
   * When the receiver answers: from within `onFrame` and `onBatchEnd` (`at once`, the default), or when promises settle
   * that these settled, as in most libraries with calls (`by promises`). Then the frames of a wake-up are handed over some
   * at a time, each time with all that follows from them, and what is sent in a tick leaves together at its end: the peer
   * has something to do meanwhile.
   */
  readonly answers?: 'at once' | 'by promises'
  /**
   * Frames of a wake-up whose answers leave together, where they come `by promises`. Fewer where a frame costs its receiver
   * far more than a system call: the peer goes on sooner. Default 32.
   */
  readonly together?: number
}

export class FrameStreamTransport implements RpcTransport {
  readonly carriesDescriptors = true
  readonly maxDescriptors: number
  readonly maxPayload: number
  readonly peer: Peer | undefined
  readonly #stream: FrameStream
  #receiver: FrameReceiver | undefined
  /** Where answers come by promises. */
  readonly #turns: FrameTurns | undefined
  readonly #together: number
  #closed = false

  /** Owns the stream. Throws UsageError for options that can never work; the stream is then still the caller's. */
  constructor(stream: FrameStream, options: FrameStreamTransportOptions = {}) {
    const { answers = 'at once', together = answeredTogether } = options
    if (answers !== 'at once' && answers !== 'by promises') {
      throw new UsageError(`answers is 'at once' or 'by promises', not ${String(answers)}`)
    }
    if (!Number.isSafeInteger(together) || together < 1) {
      throw new UsageError(`together is a number of frames, from 1 on, not ${String(together)}`)
    }
    this.#stream = stream
    this.#together = together
    if (answers === 'by promises') this.#turns = new FrameTurns(together, (frames) => this.#handOn(frames))
    const { maxPayload, maxDescriptors } = stream.limits
    this.maxPayload = maxPayload
    this.maxDescriptors = maxDescriptors
    this.peer = stream.peer
  }

  get queuedBytes(): number {
    return this.#stream.queuedBytes
  }

  start(receiver: FrameReceiver): void {
    this.#receiver = receiver
    const stream = this.#stream
    // By its owner. Neither calls nor answers can go, and nobody says so: the peer may never end its own direction.
    if (stream.ending && !stream.destroyed) stream.destroy(new ClosedError('the stream had been ended before'))
    if (stream.destroyed) {
      // It has emitted all that would tell. Not from within: whoever starts is not ready to be told.
      stream.closed.then(
        () => this.#end(undefined),
        (error: Error) => this.#end(error),
      )
      return
    }
    stream.on('end', () => this.#end(undefined))
    stream.on('error', (error) => this.#end(error))
    stream.on('close', () => this.#end(undefined))
    // A message has been dropped: what it would have been answered with would be waited for in vain.
    stream.on('refused', (error) => stream.destroy(error))
    stream.onBatch((batch) => this.#receive(batch), { keeps: true })
  }

  send(
    head: Uint8Array,
    content: readonly Uint8Array[],
    descriptors: readonly Descriptor[],
  ): Promise<void> | undefined {
    if (this.#closed) {
      for (const descriptor of descriptors) descriptor.close()
      return undefined
    }
    if (this.#turns !== undefined) gatherTick()
    const frame = content.length === 0 ? stable(head) : [stable(head), ...content]
    const closedOne = descriptors.length > 0 && descriptors.some(({ closed }) => closed)
    try {
      if (descriptors.length === 0) this.#stream.send(frame)
      else this.#stream.send(frame, descriptors, { transfer: true })
    } catch (error) {
      for (const descriptor of descriptors) descriptor.close() // those that were taken over are closed already
      // The peer is gone. What it said before that, such as why, is still to be received; then the stream ends.
      if (!(error instanceof ClosedError) || closedOne) throw error
    }
    return content.some(isReferredTo) && this.#stream.queuedBytes > 0 ? this.#sent() : undefined
  }

  /** A stream's first write of a turn goes out at once, alone: here it is known that others follow. */
  gather(send: () => void): void {
    if (isHandingOver()) send()
    else handOver(send)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#turns?.clear()
    const stream = this.#stream
    if (stream.destroyed) return
    // Closed at once, with something of the peer's unread, it would look like a crash to the peer (ECONNRESET): so what
    // still comes is read and dropped until the peer has ended too, and the stream closes by itself.
    const patience = setTimeout(() => stream.destroy(), lingerMilliseconds).unref()
    stream.once('close', () => clearTimeout(patience))
    // What ends it badly now concerns nobody: the session has ended.
    stream.end().then(
      () => stream.destroyed || stream.unref(),
      () => stream.destroy(),
    )
  }

  ref(): void {
    this.#stream.ref()
  }

  unref(): void {
    this.#stream.unref()
  }

  /** Whether it has been sent or never will be: then the stream has failed, of which the session is told by its end. */
  #sent(): Promise<void> {
    return this.#stream.flush().then(nothing, nothing)
  }

  #receive(batch: FrameBatch): void {
    const receiver = this.#receiver as FrameReceiver
    const { bytes, length } = batch
    const now = this.#inPlace(length)
    for (let i = 0; i < now && !this.#closed; i++) {
      const lost = batch.lost(i)
      const borne = batch.descriptors(i)
      const descriptors = borne.length === 0 ? none : borne.map((descriptor) => adoptOwned(surrender(descriptor)))
      const start = batch.start(i)
      const payload = new Uint8Array(bytes.buffer, bytes.byteOffset + start, batch.end(i) - start)
      receiver.onFrame(payload, descriptors, lost, batch.stays && isWhole(payload))
      if (i % answeredTogether === answeredTogether - 1) {
        receiver.onBatchEnd()
        sendGathered()
      }
    }
    receiver.onBatchEnd()
    if (now < length && !this.#closed) this.#turns?.add(batch, now)
  }

  /** How many frames of a batch are handed over from where they lie. */
  #inPlace(length: number): number {
    if (this.#turns === undefined) return length
    return this.#turns.empty ? Math.min(length, this.#together) : 0
  }

  #handOn(frames: readonly WaitingFrame[]): void {
    for (const { payload, descriptors, lost } of frames) {
      if (this.#closed) for (const descriptor of descriptors) descriptor.close()
      else this.#receiver?.onFrame(payload, descriptors, lost)
    }
    this.#receiver?.onBatchEnd()
  }

  #end(error: Error | undefined): void {
    if (this.#turns === undefined) this.#tellEnd(error)
    else this.#turns.whenDone(() => this.#tellEnd(error))
  }

  #tellEnd(error: Error | undefined): void {
    const receiver = this.#receiver
    this.#receiver = undefined
    receiver?.onEnd(error)
  }
}

/**
 * Whether it is most of its memory: views of it may be given to users, who could look at what lies beside it, and would
 * keep that too.
 */
function isWhole({ byteLength, buffer }: Uint8Array): boolean {
  return buffer.byteLength - byteLength <= 64
}

/** The stream copies what is short before it returns, and refers to what is not. */
function isReferredTo(piece: Uint8Array): boolean {
  return piece.length >= copiedBytes
}

function stable(head: Uint8Array): Uint8Array {
  return isReferredTo(head) ? new Uint8Array(head) : head // a Buffer's `slice` is no copy
}

function nothing(): void {}
