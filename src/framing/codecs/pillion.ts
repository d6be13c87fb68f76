/**
 * The default frame: 8 bytes, little-endian, then the payload.
 *
 *     u32 payload length · u16 descriptor count · u8 flags · u8 0xF1
 *
 * Flag bit 0: the payload lies in a sealed memfd, the last of the descriptors, and the bytes here are its u64 length.
 */
import { ProtocolError } from '../../errors.js'
import type { Codec, CodecConnection, FrameReader, FrameWriter } from '../codec.js'
import type { FrameLimits } from '../limits.js'
import { tooLarge } from '../refusals.js'
import { uint32 } from './bytes.js'

/** The payload lies in a sealed memfd; see `memfdLength`. */
export const memfdFlag = 1

/** The default codec: counts are announced, up to 1,024 descriptors a frame, plain frames are gathered behind others. */
export function pillion(): Codec {
  return theCodec
}

/**
 * The length that a frame with `memfdFlag` gives for the content of its memfd, from its payload.
 * Throws FrameTooLargeError when it is over the limit.
 * @param position of the payload in the stream
 */
export function memfdLength(payload: Uint8Array, limits: FrameLimits, position: number): number {
  if (payload.length !== memfdPayload) {
    throw new ProtocolError(`a memfd's length takes ${memfdPayload} bytes, and there are ${payload.length}`, position)
  }
  // Past 2^53 the sum is rounded, which is of no consequence: it is over any limit.
  const length = uint32(payload, 0) + uint32(payload, 4) * 2 ** 32
  if (length > limits.maxPayload) throw tooLarge(length, limits.maxPayload, position)
  return length
}

const headerLength = 8
const magic = 0xf1
const memfdPayload = 8

const theCodec: Codec = {
  name: 'pillion',
  pairing: 'announced',
  sending: { severalSets: true },
  connection: () => theConnection,
}

class PillionReader implements FrameReader {
  payloadLength = 0
  descriptors = 0
  flags = 0

  // Of all readers, and so no fields of each.
  get need(): number {
    return headerLength
  }

  get payloadOffset(): number {
    return headerLength
  }

  /** A memfd's length stands for the payload, which is held against the limit when it is opened. */
  get limitedLength(): number {
    return this.flags === memfdFlag ? 0 : this.payloadLength
  }

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    if (end - start < headerLength) return 0
    const length = uint32(bytes, start)
    const descriptors = bytes[start + 4]! | (bytes[start + 5]! << 8)
    const flags = bytes[start + 6]!
    if (bytes[start + 7] !== magic || flags !== 0) {
      inspect(bytes[start + 7]!, flags, length, descriptors, origin + start)
    }
    this.payloadLength = length
    this.descriptors = descriptors
    this.flags = flags
    return headerLength + length
  }
}

/** A header that is out of the ordinary: throws, unless it is that of a memfd. */
function inspect(mark: number, flags: number, length: number, descriptors: number, position: number): void {
  if (mark !== magic) {
    throw new ProtocolError(`byte 7 of a frame's header is ${hex(mark)}, expected ${hex(magic)}`, position)
  }
  if ((flags & ~memfdFlag) !== 0) {
    throw new ProtocolError(`a frame has the flags ${hex(flags)}, expected 0x00 or ${hex(memfdFlag)}`, position)
  }
  if (flags === memfdFlag && length !== memfdPayload) {
    throw new ProtocolError(`a memfd's frame has ${length} bytes of payload, expected ${memfdPayload}`, position)
  }
  if (flags === memfdFlag && descriptors === 0) {
    throw new ProtocolError("a memfd's frame has 0 descriptors, expected 1 or more", position)
  }
}

const theWriter: FrameWriter = {
  prefixLength: () => headerLength,
  writePrefix(into, at, payloadLength, descriptors, flags) {
    into[at] = payloadLength
    into[at + 1] = payloadLength >>> 8
    into[at + 2] = payloadLength >>> 16
    into[at + 3] = payloadLength >>> 24
    into[at + 4] = descriptors
    into[at + 5] = descriptors >>> 8
    into[at + 6] = flags
    into[at + 7] = magic
  },
}

/** Of all connections: nothing but a reader has a state, and that is made when it is asked for. */
const theConnection: CodecConnection = {
  get reader() {
    return new PillionReader()
  },
  writer: theWriter,
}

function hex(byte: number): string {
  return `0x${byte.toString(16).padStart(2, '0')}`
}
