/**
 * Frames that end with a byte which none of them holds; descriptors by frame boundaries. varlink is such a format.
 */
import { shown } from '../../arguments.js'
import { ProtocolError, UsageError } from '../../errors.js'
import type { Codec, FrameReader, FrameWriter } from '../codec.js'
import { endless } from '../refusals.js'

/** Frames that end with `byte`, which is not part of the payload. */
export function delimited(byte: number): Codec {
  if (!Number.isInteger(byte) || byte < 0 || byte > 255) {
    throw new UsageError(`a delimiter is a byte, from 0 to 255, not ${shown(byte)}`)
  }
  return byDelimiter('delimited', byte, 0)
}

/** JSON messages that end with NUL. They are not parsed here; an empty one is none. */
export function varlink(): Codec {
  return byDelimiter('varlink', 0, 1)
}

/** From here on the engine's search is faster than a loop, for all that a call costs. */
const loopBelow = 32

function byDelimiter(name: string, byte: number, leastPayload: number): Codec {
  return {
    name,
    pairing: 'boundary',
    connection: ({ maxPayload }) => ({
      reader: new DelimiterReader(byte, leastPayload, maxPayload),
      writer: delimiterWriter(byte, leastPayload),
    }),
  }
}

class DelimiterReader implements FrameReader {
  readonly #byte: number
  readonly #leastPayload: number
  readonly #maxPayload: number
  /** Bytes of the frame that have been looked at and are no delimiter. */
  #searched = 0
  need = 1
  readonly payloadOffset = 0
  payloadLength = 0
  readonly descriptors = 0

  constructor(byte: number, leastPayload: number, maxPayload: number) {
    this.#byte = byte
    this.#leastPayload = leastPayload
    this.#maxPayload = maxPayload
  }

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    // One byte past the limit is the last place for it.
    const last = Math.min(end, start + this.#maxPayload + 1)
    const found = indexOf(bytes, this.#byte, start + this.#searched, last)
    if (found < 0) {
      this.#searched = last - start
      if (this.#searched > this.#maxPayload) throw endless(this.#maxPayload, origin + start)
      this.need = this.#searched + 1
      return 0
    }
    this.#searched = 0
    this.payloadLength = found - start
    if (this.payloadLength < this.#leastPayload) throw new ProtocolError('a message is empty', origin + start)
    return this.payloadLength + 1
  }
}

function delimiterWriter(byte: number, leastPayload: number): FrameWriter {
  return {
    check(payload, length) {
      if (length < leastPayload) throw new UsageError('a message is empty')
      if (!payload.some((chunk) => chunk.includes(byte))) return
      throw new UsageError(`a payload holds the byte ${byte}, which ends a frame of this format`)
    },
    prefixLength: () => 0,
    writePrefix() {},
    suffixLength: () => 1,
    writeSuffix(into, at) {
      into[at] = byte
    },
  }
}

/** Where in [from, to) the byte is; -1 if it is not there. What lies behind `to` is not looked at. */
function indexOf(bytes: Uint8Array, byte: number, from: number, to: number): number {
  const near = Math.min(to, from + loopBelow)
  for (let i = from; i < near; i++) if (bytes[i] === byte) return i
  if (near === to) return -1
  const found = bytes.subarray(near, to).indexOf(byte)
  return found < 0 ? -1 : near + found
}
