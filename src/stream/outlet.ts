/**
 * Outlet: how a frame enters the socket's queue, be it as bytes of a stream or as a message of its own.
 *
 * Copies what is short into the thread's slab, and refers to the rest. Knows nothing of who waits for what.
 */
import { sendRules } from '../framing/codec.js'
import { FrameEncoder } from '../framing/frame-encoder.js'
import type { Codec, CodecConnection, FrameLimits, OutgoingPiece } from '../framing/index.js'
import { MessageEncoder } from '../framing/message-encoder.js'
import type { MessageQueue, SendQueue, UnixSocket } from '../transport/index.js'
import { type MessagePiece, mostPiecesOfMessage } from '../transport/message-queue.js'
import { plainGroup } from '../transport/send-queue.js'
import {
  beginRun,
  commitToSlab,
  largestInSlab,
  openRun,
  reserveInSlab,
  sendSlabCursor,
  slabBytes,
} from '../transport/send-slab.js'

export interface OutgoingDescriptors {
  readonly fds: readonly number[]
  /** Taken over: the queue closes them. */
  readonly owned: boolean
}

export interface Outlet {
  /** Descriptors of one sendmsg. */
  readonly maxDescriptorsPerSend: number
  /** Whether a frame without descriptors can be dropped alone as well: then each has a group of its own. */
  readonly dropsPlain: boolean
  /** The length of a payload that can be sent with so many descriptors; throws if it cannot. */
  check(payload: Uint8Array | readonly Uint8Array[], descriptors: number): number
  /** Queues a frame that was found good. */
  queue(
    group: number,
    payload: Uint8Array | readonly Uint8Array[],
    descriptors: OutgoingDescriptors,
    flags: number,
  ): void
}

/** Frames as a codec lays them out, one behind the other. */
export class StreamOutlet implements Outlet {
  readonly maxDescriptorsPerSend: number
  readonly dropsPlain = false
  readonly #queue: SendQueue
  readonly #encoder: FrameEncoder

  constructor(socket: UnixSocket, codec: Codec, limits: FrameLimits, connection: CodecConnection | undefined) {
    this.#queue = socket.queue
    this.#encoder = encoderOf(codec, limits, connection)
    const { maxDescriptorsPerSend, maxBytesPerSend } = sendRules(codec)
    this.maxDescriptorsPerSend = maxDescriptorsPerSend
    this.#queue.limitSends(maxBytesPerSend)
  }

  check(payload: Uint8Array | readonly Uint8Array[], descriptors: number): number {
    return this.#encoder.check(payload, descriptors)
  }

  /** As `FrameEncoder.longestUnchecked`. */
  get longestUnchecked(): number {
    return this.#encoder.longestUnchecked
  }

  /**
   * The hot path: writes a payload of that length at most into the open run. False where none is open, or has no room: then
   * it goes by `queueSmall`.
   */
  append(payload: Uint8Array, length: number): boolean {
    const encoder = this.#encoder
    const { at } = openRun
    if (openRun.queue !== this.#queue || encoder.wireLength(length) > openRun.end - at) return false
    openRun.at = encoder.writeSmall(openRun.memory, at, payload, length)
    return true
  }

  /** What is appended from now on, up to so many bytes, needs nothing but to be written. */
  openRun(room: number): void {
    beginRun(this.#queue, room)
  }

  /** Checks and queues a payload shorter than `largestInSlab`, without descriptors. */
  queueSmall(payload: Uint8Array | readonly Uint8Array[], length: number): void {
    const encoder = this.#encoder
    encoder.checkPlain(payload, length)
    const slab = reserveInSlab(encoder.wireLength(length))
    const at = sendSlabCursor()
    const end = encoder.writeSmall(slab, at, payload, length)
    commitToSlab(end)
    this.#queue.pushPlain(slab, at, end, plainGroup)
  }

  /** Checks and queues a payload that is sent from where it lies, without descriptors. */
  queueWhole(payload: Uint8Array, length: number): void {
    const encoder = this.#encoder
    encoder.checkPlain(payload, length)
    const slab = reserveInSlab(encoder.wireLength(length) - length)
    const at = sendSlabCursor()
    const middle = encoder.writePrefix(slab, at, length)
    const end = encoder.writeSuffix(slab, middle, length)
    commitToSlab(end)
    const queue = this.#queue
    queue.pushPlain(slab, at, middle, plainGroup)
    queue.pushPlain(payload, 0, length, plainGroup)
    queue.pushPlain(slab, middle, end, plainGroup)
  }

  queue(
    group: number,
    payload: Uint8Array | readonly Uint8Array[],
    descriptors: OutgoingDescriptors,
    flags: number,
  ): void {
    const { owned } = descriptors
    const copied = this.#encoder.copiedLength(payload, largestInSlab)
    const inSlab = copied <= slabBytes
    const memory = inSlab ? reserveInSlab(copied) : new Uint8Array(copied)
    const at = inSlab ? sendSlabCursor() : 0
    const pieces: OutgoingPiece[] = []
    const end = this.#encoder.write(
      memory,
      at,
      payload,
      { fds: descriptors.fds, flags, copyBelow: largestInSlab },
      pieces,
    )
    if (inSlab) commitToSlab(end)
    const queue = this.#queue
    let begins = true
    for (const { bytes, start, end, fds, startsSend, endsSend } of pieces) {
      if (startsSend || endsSend) queue.push({ bytes, start, end, fds, startsSend, endsSend, owned, begins, group })
      else queue.pushPlain(bytes, start, end, group)
      begins = false
    }
  }
}

/** Where the kernel keeps boundaries: a frame is a message. */
export class MessageOutlet implements Outlet {
  readonly maxDescriptorsPerSend = Number.POSITIVE_INFINITY // more than the kernel's limit are refused
  readonly dropsPlain = true
  readonly #queue: MessageQueue
  readonly #encoder: MessageEncoder

  constructor(socket: UnixSocket, limits: FrameLimits) {
    this.#queue = socket.messages
    this.#encoder = new MessageEncoder(limits)
  }

  check(payload: Uint8Array | readonly Uint8Array[], descriptors: number): number {
    return this.#encoder.check(payload, descriptors)
  }

  queue(
    group: number,
    payload: Uint8Array | readonly Uint8Array[],
    { fds, owned }: OutgoingDescriptors,
    _flags: number,
  ): void {
    const chunks = payload instanceof Uint8Array ? [payload] : payload
    this.#queue.push({ pieces: piecesOf(chunks), fds, owned, group })
  }
}

/** At least one, since an empty message is one too. */
function piecesOf(chunks: readonly Uint8Array[]): readonly MessagePiece[] {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  if (length <= largestInSlab) return [copied(chunks, length)]
  if (chunks.length > mostPiecesOfMessage) return [{ bytes: Buffer.concat(chunks, length), start: 0, end: length }]
  return chunks.map((bytes) => (bytes.length <= largestInSlab ? copied([bytes], bytes.length) : wholeOf(bytes)))
}

function wholeOf(bytes: Uint8Array): MessagePiece {
  return { bytes, start: 0, end: bytes.length }
}

function copied(chunks: readonly Uint8Array[], length: number): MessagePiece {
  const bytes = reserveInSlab(length)
  const start = sendSlabCursor()
  let end = start
  for (const chunk of chunks) {
    bytes.set(chunk, end)
    end += chunk.length
  }
  commitToSlab(end)
  return { bytes, start, end }
}

/** Streams with the same settings have one encoder, where their codec has one writer, as the default has. */
function encoderOf(codec: Codec, limits: FrameLimits, connection = codec.connection(limits)): FrameEncoder {
  if (latest?.serves(codec, limits, connection) !== true) latest = new FrameEncoder(codec, limits, connection)
  return latest
}

let latest: FrameEncoder | undefined
