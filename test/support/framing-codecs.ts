/**
 * A format that announces no descriptors, for what `pillion()` cannot show: the boundary rule, bytes behind a payload, a
 * header that is looked at in two steps, few descriptors a send.
 *
 *     u8 '#' · u16 payload length, big-endian · payload · u8 '\n'
 */
import { type Codec, type FrameReader, type FrameWriter, ProtocolError } from '../../src/framing/index.js'

export function linesWithLength(): Codec {
  return {
    name: 'lines with length',
    pairing: 'boundary',
    sending: {
      maxDescriptorsPerSend: 3,
      maxBytesPerSend: Number.POSITIVE_INFINITY,
      plainMayFollow: false,
      severalSets: true,
    },
    connection: () => ({ reader: new LineReader(), writer: lineWriter }),
  }
}

class LineReader implements FrameReader {
  need = 0
  readonly payloadOffset = 3
  payloadLength = 0
  readonly descriptors = 0
  readonly flags = 0

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    if (bytes[start] !== 0x23) throw new ProtocolError('a line does not start with #', origin + start)
    this.need = 3
    if (end - start < this.need) return 0
    this.payloadLength = (bytes[start + 1]! << 8) | bytes[start + 2]!
    return 3 + this.payloadLength + 1
  }
}

const lineWriter: FrameWriter = {
  check(payload, length, descriptors) {
    if (length === 0 && descriptors > 0) throw new ProtocolError('an empty line bears nothing', 0)
    if (payload.some((chunk) => chunk.includes(0x0a))) throw new ProtocolError('a line holds no newline', 0)
  },
  prefixLength: () => 3,
  writePrefix(into, at, payloadLength) {
    into[at] = 0x23
    into[at + 1] = payloadLength >>> 8
    into[at + 2] = payloadLength
  },
  suffixLength: () => 1,
  writeSuffix(into, at) {
    into[at] = 0x0a
  },
}
