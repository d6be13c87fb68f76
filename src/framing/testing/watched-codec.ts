/**
 * A codec that another one is behind, and that throws where its reader breaks the contract of `FrameReader`. The decoder
 * makes a ProtocolError of it, with what was thrown as its cause.
 */
import type { Codec, FrameReader } from '../codec.js'

export function watched(codec: Codec): Codec {
  return {
    ...codec,
    connection(limits) {
      const { reader, writer } = codec.connection(limits)
      return { reader: new WatchedReader(codec, reader), writer }
    },
  }
}

class WatchedReader implements FrameReader {
  readonly #codec: Codec
  readonly #reader: FrameReader

  constructor(codec: Codec, reader: FrameReader) {
    this.#codec = codec
    this.#reader = reader
  }

  get need(): number {
    return this.#reader.need
  }

  get payloadOffset(): number {
    return this.#reader.payloadOffset
  }

  get payloadLength(): number {
    return this.#reader.payloadLength
  }

  get descriptors(): number {
    return this.#reader.descriptors
  }

  get flags(): number {
    return this.#reader.flags ?? 0
  }

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    const before = new Uint8Array(bytes.subarray(start, end))
    const length = this.#reader.measure(bytes, start, end, origin)
    demand(Buffer.compare(before, bytes.subarray(start, end)) === 0, 'measure has changed the bytes')
    demand(isCount(length), `measure returned ${String(length)}`)
    if (length === 0) this.#requireNeed(end - start)
    else this.#requireFields(length)
    return length
  }

  #requireNeed(there: number): void {
    const { need } = this.#reader
    demand(isCount(need) && need > there, `with ${there} bytes there, need is ${String(need)}`)
  }

  #requireFields(length: number): void {
    const { payloadOffset, payloadLength, descriptors, flags = 0 } = this.#reader
    const shown = `[${payloadOffset}, ${payloadOffset} + ${payloadLength})`
    demand(isCount(payloadOffset) && isCount(payloadLength), `the payload is ${shown}`)
    demand(payloadOffset + payloadLength <= length, `the payload is ${shown} of a frame of ${length} bytes`)
    demand(isCount(descriptors), `descriptors is ${String(descriptors)}`)
    demand(isCount(flags) && flags <= 255, `flags is ${String(flags)}`)
    demand(this.#codec.pairing !== 'boundary' || descriptors === 0, 'a count is announced, and the pairing is boundary')
  }
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0
}

function demand(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}
