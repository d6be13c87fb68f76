/** A format of one's own, for docs/codecs.md: u8 '%' · u8 descriptors · u16 payload length, big-endian · payload. */
import {
  type Codec,
  type FrameLimits,
  type FrameReader,
  FrameTooLargeError,
  type FrameWriter,
  ProtocolError,
  TooManyDescriptorsError,
} from 'pillion/framing'

const headerLength = 4
const mark = 0x25

export function tagged(): Codec {
  return {
    name: 'tagged',
    pairing: 'announced',
    sending: {
      maxDescriptorsPerSend: 253,
      maxBytesPerSend: Number.POSITIVE_INFINITY,
      plainMayFollow: true,
      severalSets: false,
    },
    defaults: { maxPayload: 0xffff, maxDescriptors: 16 },
    connection: (limits) => ({ reader: new TaggedReader(limits), writer }),
  }
}

class TaggedReader implements FrameReader {
  readonly #limits: FrameLimits
  readonly need = headerLength
  readonly payloadOffset = headerLength
  payloadLength = 0
  descriptors = 0
  readonly flags = 0

  constructor(limits: FrameLimits) {
    this.#limits = limits
  }

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    if (end - start < headerLength) return 0
    if (bytes[start] !== mark) throw new ProtocolError('a frame does not begin with %', origin + start)
    this.descriptors = bytes[start + 1]!
    this.payloadLength = (bytes[start + 2]! << 8) | bytes[start + 3]!
    const { maxPayload, maxDescriptors } = this.#limits
    if (this.payloadLength > maxPayload) throw new FrameTooLargeError('too long a frame', maxPayload, 'remote')
    if (this.descriptors > maxDescriptors) throw new TooManyDescriptorsError('too many', maxDescriptors, 'remote')
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
  suffixLength: () => 0,
  writeSuffix() {},
}
