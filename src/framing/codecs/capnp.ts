/**
 * Cap'n Proto's messages as they lie on a stream: a table of segment sizes, then the segments; descriptors by frame
 * boundaries. What the words mean is not looked at.
 *
 *     u32 segments - 1 · u32 words of each · padding to 8 bytes · the segments, all little-endian
 */
import { ProtocolError, UsageError } from '../../errors.js'
import type { Codec, FrameReader } from '../codec.js'
import { isBytes } from '../payload.js'
import { leadingBytes, uint32 } from './bytes.js'
import { wholeFrames } from './whole-frames.js'

/** A payload is the whole message, its table included. Default limit: 8 Mi words, as in the C++ implementation. */
export function capnp(): Codec {
  return theCodec
}

/** The segments of a message that has been received: views of it. Throws UsageError where it is none. */
export function capnpSegments(message: Uint8Array): Uint8Array[] {
  if (!isBytes(message)) throw new UsageError('a message is a Uint8Array')
  const table = checkedTable([message], message.length, mostReceived)
  const segments: Uint8Array[] = []
  let start = tableLength(table.length)
  for (const words of table) {
    const end = start + words * bytesInWord
    segments.push(message.subarray(start, end))
    start = end
  }
  return segments
}

/** A message of these segments, as chunks for `send`: the table is made, the segments are not copied. */
export function capnpMessage(segments: readonly Uint8Array[]): Uint8Array[] {
  if (!Array.isArray(segments) || !segments.every(isBytes)) throw new UsageError('segments are an array of Uint8Array')
  if (segments.length === 0 || segments.length > mostSent) {
    throw new UsageError(`a message has 1 to ${mostSent} segments, not ${segments.length}`)
  }
  const table = new DataView(new ArrayBuffer(tableLength(segments.length)))
  table.setUint32(0, segments.length - 1, true)
  for (const [i, { length }] of segments.entries()) {
    if (length % bytesInWord !== 0) throw new UsageError(`segment ${i} has ${length} bytes, which are no whole words`)
    table.setUint32(4 + 4 * i, length / bytesInWord, true)
  }
  return [new Uint8Array(table.buffer), ...segments]
}

const bytesInWord = 8
/** More is an attack: the table comes before anything can be known of the message. */
const mostReceived = 512
/** The C++ implementation refuses 512 (docs/kernel.md, how the peers send and read). */
const mostSent = 511
const wordsByDefault = 8 * 1024 * 1024

const theCodec: Codec = {
  name: 'capnp',
  pairing: 'boundary',
  defaults: { maxPayload: wordsByDefault * bytesInWord + tableLength(mostReceived) },
  connection: () => ({
    reader: new CapnpReader(),
    writer: wholeFrames((payload, length) => void checkedTable(payload, length, mostSent)),
  }),
}

class CapnpReader implements FrameReader {
  need = bytesInWord
  readonly payloadOffset = 0
  payloadLength = 0
  readonly descriptors = 0

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    this.need = bytesInWord
    if (end - start < this.need) return 0
    const segments = uint32(bytes, start) + 1
    if (segments > mostReceived) {
      throw new ProtocolError(`a message has ${segments} segments, expected ${mostReceived} at most`, origin + start)
    }
    this.need = tableLength(segments)
    if (end - start < this.need) return 0
    let words = 0
    for (let i = 0; i < segments; i++) words += uint32(bytes, start + 4 + 4 * i)
    this.payloadLength = this.need + words * bytesInWord
    return this.payloadLength
  }
}

/** The words of each segment, of a message whose table says just what it has. */
function checkedTable(message: readonly Uint8Array[], length: number, most: number): number[] {
  const start = leadingBytes(message, tableLength(most))
  const segments = start.length < bytesInWord ? 0 : uint32(start, 0) + 1
  if (segments === 0 || segments > most || tableLength(segments) > length) {
    throw new UsageError(`a payload of ${length} bytes does not start with the table of 1 to ${most} segments`)
  }
  const sizes: number[] = []
  for (let i = 0; i < segments; i++) sizes.push(uint32(start, 4 + 4 * i))
  const expected = tableLength(segments) + bytesInWord * sizes.reduce((sum, words) => sum + words, 0)
  if (expected !== length) throw new UsageError(`a payload has ${length} bytes, by its table it has ${expected}`)
  return sizes
}

/** The count, the sizes, and the padding behind an even number of these. */
function tableLength(segments: number): number {
  return bytesInWord * (1 + (segments >>> 1))
}
