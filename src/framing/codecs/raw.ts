/**
 * No frames at all: what each recvmsg returned, for whoever frames elsewhere.
 *
 * A Unix stream keeps no boundary but those of its sets: a recvmsg that returns one ends where it ends. Where the others
 * end depends on when they were made, and means nothing.
 */
import { UsageError } from '../../errors.js'
import type { Codec, FrameReader } from '../codec.js'
import { wholeFrames } from './whole-frames.js'

/** Each recvmsg a frame, with its descriptors; cut at `maxPayload`. An empty payload sends nothing. */
export function raw(): Codec {
  return theCodec
}

const theCodec: Codec = {
  name: 'raw',
  pairing: 'boundary',
  cutsAtReceives: true,
  connection({ maxPayload }) {
    if (maxPayload === 0) throw new UsageError('maxPayload is 0, and raw frames have a byte at least')
    return { reader: new RawReader(maxPayload), writer: wholeFrames(() => {}) }
  },
}

class RawReader implements FrameReader {
  readonly #maxPayload: number
  readonly need = 1
  readonly payloadOffset = 0
  payloadLength = 0
  readonly descriptors = 0

  constructor(maxPayload: number) {
    this.#maxPayload = maxPayload
  }

  measure(_bytes: Uint8Array, start: number, end: number): number {
    this.payloadLength = Math.min(end - start, this.#maxPayload)
    return this.payloadLength
  }
}
