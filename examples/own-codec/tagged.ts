/** A format of one's own, for docs/codecs.md: u8 '%' · u8 descriptors · u16 payload length, big-endian · payload. */
import { type Codec, type FrameReader, FrameTooLargeError, type FrameWriter, ProtocolError } from 'pillion/framing'

const headerLength = 4
const mark = 0x25

export function tagged(): Codec {
  return {
    name: 'tagged',
    pairing: 'announced',
    defaults: { maxPayload: 0xffff, maxDescriptors: 16 },
    connection: () => ({ reader: new TaggedReader(), writer }),
  }
}

class TaggedReader implements FrameReader {
  readonly need = headerLength
  readonly payloadOffset = headerLength
  payloadLength = 0
  descriptors = 0

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    if (end - start < headerLength) return 0
    if (bytes[start] !== mark) throw new ProtocolError('a frame does not begin with %', origin + start)
    this.descriptors = bytes[start + 1]!
    this.payloadLength = (bytes[start + 2]! << 8) | bytes[start + 3]!
    return headerLength + this.payloadLength
  }
}

const writer: FrameWriter = {
  check(_payload, length) {
    if (length > 0xffff) throw new FrameTooLargeError('a length has two bytes', 0xffff)
  },
  prefixLength: () => headerLength,
  writePrefix(into, at, payloadLength, descriptors) {
    into.set([mark, descriptors, payloadLength >>> 8, payloadLength & 0xff], at)
  },
}
