/**
 * Frames that begin with their length, as countless protocols have them; descriptors by frame boundaries.
 */
import { checkBoolean, checkOptions, shown } from '../../arguments.js'
import { FrameTooLargeError, ProtocolError, UsageError } from '../../errors.js'
import type { Codec, FrameReader, FrameWriter } from '../codec.js'
import { leadingBytes } from './bytes.js'
import { wholeFrames } from './whole-frames.js'

export interface LengthPrefixedOptions {
  /** Bytes of the length. Default 4. */
  readonly bytes?: 1 | 2 | 4 | 8
  /** Default `big`, as network protocols have it. */
  readonly endian?: 'big' | 'little'
  /** Whether the length counts what precedes it and itself too. Default false: what follows alone. */
  readonly includesHeader?: boolean
  /**
   * Bytes that precede the length. They are the message's own, so from 1 on a payload is the whole frame as it lies on
   * the wire, its length in it. Default 0: a payload is what follows the length.
   */
  readonly offset?: number
}

/** Unsigned lengths, whichever they are. */
export function lengthPrefixed(options: LengthPrefixedOptions = {}): Codec {
  const format = new Format(options)
  return {
    name: 'length-prefixed',
    pairing: 'boundary',
    connection: () => ({
      reader: new LengthReader(format),
      writer: format.wholeFrames ? wholeFrameWriter(format) : prefixWriter(format),
    }),
  }
}

/** No header is longer: a peer could send it byte by byte. */
const mostOffset = 1024

class Format {
  readonly bytes: number
  readonly big: boolean
  readonly includesHeader: boolean
  readonly offset: number
  readonly header: number
  /** The largest number that the length field holds, as far as numbers are exact. */
  readonly most: number

  constructor(options: LengthPrefixedOptions) {
    checkOptions(options)
    const { bytes = 4, endian = 'big', includesHeader = false, offset = 0 } = options
    checkBoolean('includesHeader', includesHeader)
    if (![1, 2, 4, 8].includes(bytes)) throw new UsageError(`bytes is 1, 2, 4 or 8, not ${shown(bytes)}`)
    if (endian !== 'big' && endian !== 'little') {
      throw new UsageError(`endian is 'big' or 'little', not ${shown(endian)}`)
    }
    if (!Number.isInteger(offset) || offset < 0 || offset > mostOffset) {
      throw new UsageError(`offset is a whole number of bytes from 0 to ${mostOffset}, not ${shown(offset)}`)
    }
    this.bytes = bytes
    this.big = endian === 'big'
    this.includesHeader = includesHeader
    this.offset = offset
    this.header = offset + bytes
    this.most = Math.min(2 ** (8 * bytes) - 1, Number.MAX_SAFE_INTEGER)
    if (includesHeader && this.header > this.most) {
      throw new UsageError(`a header of ${this.header} bytes cannot count itself in a length of ${bytes}`)
    }
  }

  get wholeFrames(): boolean {
    return this.offset > 0
  }

  /** The length in the header at `start`. Past 2^53 it is rounded, which is of no consequence: it is over any limit. */
  read(bytes: Uint8Array, start: number): number {
    const at = start + this.offset
    let length = 0
    for (let i = 0; i < this.bytes; i++) length = length * 256 + bytes[at + (this.big ? i : this.bytes - 1 - i)]!
    return length
  }

  write(into: Uint8Array, at: number, length: number): void {
    let left = length
    for (let i = 0; i < this.bytes; i++) {
      into[at + (this.big ? this.bytes - 1 - i : i)] = left % 256
      left = Math.floor(left / 256)
    }
  }

  /** What stands in the length field of a frame with so many bytes behind its header. */
  lengthOf(body: number): number {
    return this.includesHeader ? this.header + body : body
  }
}

class LengthReader implements FrameReader {
  readonly #format: Format
  readonly need: number
  readonly payloadOffset: number
  payloadLength = 0
  readonly descriptors = 0

  constructor(format: Format) {
    this.#format = format
    this.need = format.header
    this.payloadOffset = format.wholeFrames ? 0 : format.header
  }

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    const { header, includesHeader } = this.#format
    if (end - start < header) return 0
    const length = this.#format.read(bytes, start)
    const onWire = includesHeader ? length : header + length
    if (onWire < header) {
      throw new ProtocolError(
        `a frame has the length ${length}, expected its header's ${header} at least`,
        origin + start,
      )
    }
    this.payloadLength = onWire - this.payloadOffset
    return onWire
  }
}

function prefixWriter(format: Format): FrameWriter {
  return {
    check(_payload, length) {
      const most = format.most - (format.includesHeader ? format.header : 0)
      if (length <= most) return
      throw new FrameTooLargeError(
        `a payload of ${length} bytes, a length of ${format.bytes} bytes holds ${most}`,
        most,
      )
    },
    prefixLength: () => format.header,
    writePrefix: (into, at, payloadLength) => format.write(into, at, format.lengthOf(payloadLength)),
  }
}

function wholeFrameWriter(format: Format): FrameWriter {
  return wholeFrames((payload, length) => {
    if (length < format.header) {
      throw new UsageError(`a payload of ${length} bytes, the header that it starts with takes ${format.header}`)
    }
    const found = format.read(leadingBytes(payload, format.header), 0)
    const expected = format.lengthOf(length - format.header)
    if (found !== expected) throw new UsageError(`the payload has the length ${found} in it, expected ${expected}`)
  })
}
