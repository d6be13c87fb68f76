/**
 * FrameEncoder: an outgoing frame, as the pieces that a send queue takes: which bytes, and which descriptors start a
 * sendmsg where.
 *
 * Borrows descriptors and payloads, and owns nothing. Copies into the memory it is given what is too short to be sent
 * from where it lies. Knows no queue and no socket.
 */
import { FrameTooLargeError, TooManyDescriptorsError, UsageError } from '../errors.js'
import { type Codec, type CodecConnection, checkCodec, type FrameWriter, type SendRules, sendRules } from './codec.js'
import type { FrameLimits } from './limits.js'
import { type Payload, payloadLength } from './payload.js'

/** A run of a frame's bytes, with the descriptors that ride on the first of them. */
export interface OutgoingPiece {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly fds: readonly number[]
  /** Begins a sendmsg of its own: it carries descriptors. */
  readonly startsSend: boolean
  /** Nothing may follow in the same sendmsg. */
  readonly endsSend: boolean
}

export interface OutgoingContent {
  readonly fds: readonly number[]
  readonly flags: number
  /** Chunks of payload shorter than this are copied. */
  readonly copyBelow: number
}

const noFds: readonly number[] = []
const noBytes = new Uint8Array(0)
/** Not looked up on the way: of all that is sent, each small frame comes by here. */
const copyBytes = Uint8Array.prototype.set
/** A call into the engine's copying costs more than so many bytes do, one by one. */
const byteLoopBelow = 12

export class FrameEncoder {
  readonly #codec: Codec
  readonly #writer: FrameWriter
  readonly #rules: SendRules
  readonly #limits: FrameLimits
  /** Payloads without descriptors that are no longer than this have nothing to be checked for; -1: all have. */
  readonly longestUnchecked: number
  /** A single chunk as the array that a codec is shown. */
  #one: Uint8Array[] | undefined

  /** @param connection of the codec, shared with the decoder; without it the encoder has one of its own */
  constructor(codec: Codec, limits: FrameLimits, connection?: CodecConnection) {
    checkCodec(codec)
    this.#codec = codec
    this.#writer = (connection ?? codec.connection(limits)).writer
    this.#rules = sendRules(codec)
    this.#limits = limits
    const isFree = this.#writer.check === undefined && this.#rules.maxBytesPerSend === Number.POSITIVE_INFINITY
    this.longestUnchecked = isFree ? limits.maxPayload : -1
  }

  /**
   * Whether another connection can have this encoder as well: it is of the same codec and limits, whose writer is the same for all,
   * and none of the codec's code runs while a frame is checked.
   * @internal
   */
  serves(codec: Codec, limits: FrameLimits, { writer }: CodecConnection): boolean {
    return this.#codec === codec && this.#limits === limits && this.#writer === writer && writer.check === undefined
  }

  /**
   * The length of a payload, which is found sendable with so many descriptors. Throws UsageError, FrameTooLargeError,
   * TooManyDescriptorsError, or what the codec has against it; then nothing has been touched.
   * @param length of it, where it is known
   */
  check(payload: Uint8Array | readonly Uint8Array[], descriptors: number, length = payloadLength(payload)): number {
    const { maxPayload, maxDescriptors } = this.#limits
    if (length > maxPayload) {
      throw new FrameTooLargeError(`a payload of ${length} bytes, the limit is ${maxPayload}`, maxPayload)
    }
    if (descriptors > maxDescriptors) throw tooMany(descriptors, maxDescriptors)
    const { maxBytesPerSend, maxDescriptorsPerSend } = this.#rules
    const onWire = this.wireLength(length)
    if (onWire > maxBytesPerSend) {
      throw new FrameTooLargeError(
        `a frame of ${onWire} bytes, a peer takes ${maxBytesPerSend} at once`,
        maxBytesPerSend,
      )
    }
    if (descriptors > maxDescriptorsPerSend) this.#checkSets(descriptors, onWire)
    if (descriptors > 0 && onWire === 0)
      throw new UsageError('descriptors need a byte to ride on, and the frame is empty')
    if (!(payload instanceof Uint8Array)) {
      this.#writer.check?.(payload, length, descriptors)
    } else if (this.#writer.check !== undefined) {
      this.#one ??= []
      const one = this.#one
      one[0] = payload
      this.#writer.check(one, length, descriptors)
      one[0] = noBytes
    }
    return length
  }

  /** As `check`, without descriptors and of a known length: most need not be looked at any further. */
  checkPlain(payload: Uint8Array | readonly Uint8Array[], length: number): void {
    if (length > this.longestUnchecked) this.check(payload, 0, length)
  }

  /** Bytes of the whole frame. */
  wireLength(payloadLength: number): number {
    return this.#writer.prefixLength(payloadLength) + payloadLength + this.#suffixLength(payloadLength)
  }

  /**
   * The hot path: writes a checked frame without descriptors into `slab` from `at` on, where it has room for
   * `wireLength`. Returns the offset behind it. Several chunks are exact ones (`exactPayload`).
   */
  writeSmall(slab: Uint8Array, at: number, payload: Payload, length = payloadLength(payload)): number {
    const end = this.writePrefix(slab, at, length)
    if (!Array.isArray(payload)) {
      copyInto(slab, end, payload as Uint8Array, length)
    } else {
      let to = end
      for (const chunk of payload as readonly Uint8Array[]) {
        copyInto(slab, to, chunk, chunk.length)
        to += chunk.length
      }
    }
    return this.writeSuffix(slab, end + length, length)
  }

  /** What precedes a payload without descriptors; the offset behind it. */
  writePrefix(slab: Uint8Array, at: number, payloadLength: number): number {
    const writer = this.#writer
    writer.writePrefix(slab, at, payloadLength, 0, 0)
    return at + writer.prefixLength(payloadLength)
  }

  /** What follows a payload; the offset behind it. */
  writeSuffix(slab: Uint8Array, at: number, payloadLength: number): number {
    const suffix = this.#suffixLength(payloadLength)
    if (suffix > 0) this.#writer.writeSuffix?.(slab, at)
    return at + suffix
  }

  /** Bytes that `write` copies: the format's own, and the chunks shorter than `copyBelow`. */
  copiedLength(payload: Uint8Array | readonly Uint8Array[], copyBelow: number): number {
    let length = 0
    let copied = 0
    for (const chunk of chunksOf(payload)) {
      length += chunk.length
      if (chunk.length < copyBelow) copied += chunk.length
    }
    return this.#writer.prefixLength(length) + copied + this.#suffixLength(length)
  }

  /**
   * Appends the pieces of a checked frame to `pieces`. What is copied goes into `slab` from `at` on, where it has room
   * for `copiedLength`; the other chunks are referred to. Returns the offset behind what was copied.
   */
  write(
    slab: Uint8Array,
    at: number,
    payload: Uint8Array | readonly Uint8Array[],
    content: OutgoingContent,
    pieces: OutgoingPiece[],
  ): number {
    const writer = this.#writer
    const { fds, flags, copyBelow } = content
    const length = payloadLength(payload)
    const cutter = new FrameCutter(pieces, fds, this.#rules, this.wireLength(length))
    let runStart = at
    let end = at + writer.prefixLength(length)
    writer.writePrefix(slab, at, length, fds.length, flags)
    for (const chunk of chunksOf(payload)) {
      if (chunk.length < copyBelow) {
        slab.set(chunk, end)
        end += chunk.length
        continue
      }
      cutter.add(slab, runStart, end)
      cutter.add(chunk, 0, chunk.length)
      runStart = end
    }
    end = this.writeSuffix(slab, end, length)
    cutter.add(slab, runStart, end)
    return end
  }

  #suffixLength(payloadLength: number): number {
    return this.#writer.suffixLength?.(payloadLength) ?? 0
  }

  /** More descriptors than one sendmsg takes: each further set needs a byte of the frame to start from. */
  #checkSets(descriptors: number, onWire: number): void {
    const { maxDescriptorsPerSend, severalSets } = this.#rules
    const most = severalSets ? maxDescriptorsPerSend * onWire : maxDescriptorsPerSend
    if (descriptors > most) throw tooMany(descriptors, most)
  }
}

/**
 * Cuts a frame where its sets have to start: all but the last on one byte each, at the front, so that a large payload
 * stays whole behind them.
 */
class FrameCutter {
  readonly #pieces: OutgoingPiece[]
  readonly #fds: readonly number[]
  readonly #rules: SendRules
  readonly #sets: number
  #set = 0
  #left: number

  constructor(pieces: OutgoingPiece[], fds: readonly number[], rules: SendRules, length: number) {
    this.#pieces = pieces
    this.#fds = fds
    this.#rules = rules
    this.#sets = Math.ceil(fds.length / rules.maxDescriptorsPerSend)
    this.#left = length
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    let at = start
    while (at < end) {
      const to = this.#set < this.#sets - 1 ? at + 1 : end
      this.#addPiece(bytes, at, to)
      at = to
    }
  }

  #addPiece(bytes: Uint8Array, start: number, end: number): void {
    const most = this.#rules.maxDescriptorsPerSend
    const startsSend = this.#set < this.#sets
    const fds = startsSend ? this.#fds.slice(this.#set * most, (this.#set + 1) * most) : noFds
    this.#set++
    this.#left -= end - start
    const endsSend = this.#left === 0 && this.#sets > 0 && !this.#rules.plainMayFollow
    this.#pieces.push({ bytes, start, end, fds, startsSend, endsSend })
  }
}

function copyInto(slab: Uint8Array, at: number, chunk: Uint8Array, length: number): void {
  if (length < byteLoopBelow) for (let i = 0; i < length; i++) slab[at + i] = chunk[i]!
  else copyBytes.call(slab, chunk, at)
}

function chunksOf(payload: Uint8Array | readonly Uint8Array[]): readonly Uint8Array[] {
  return payload instanceof Uint8Array ? [payload] : payload
}

function tooMany(count: number, limit: number): TooManyDescriptorsError {
  return new TooManyDescriptorsError(`${count} descriptors for one frame, the limit is ${limit}`, limit)
}
