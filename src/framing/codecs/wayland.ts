/**
 * Wayland's messages; descriptors by counts that only the signatures tell, off a queue that may run ahead.
 *
 *     u32 object · u32 size << 16 | opcode · arguments, all in the host's byte order
 */
import { checkFunction, shown } from '../../arguments.js'
import { ProtocolError, UsageError } from '../../errors.js'
import type { Codec, FrameReader } from '../codec.js'
import { tooLarge } from '../refusals.js'
import { leadingBytes, uint32, uint32Big } from './bytes.js'
import { wholeFrames } from './whole-frames.js'

/**
 * How many descriptors an incoming message bears, by the signature of that event or request.
 *
 * Is called ahead of the message's delivery: messages that came together are all counted before the first is delivered.
 * Objects that the other side makes are thus to be entered here, out of the arguments of the message that makes them,
 * or the next one to such an object finds it unknown. `message` is the whole one, lent for the call.
 */
export type WaylandCount = (object: number, opcode: number, message: Uint8Array) => number

/**
 * A payload is the whole message. `count` is asked of incoming messages alone, once each and in their order; an outgoing
 * one bears what `send` is given with it.
 */
export function wayland(count: WaylandCount): Codec {
  checkFunction("wayland's count", count)
  return {
    name: 'wayland',
    pairing: 'queue',
    sending,
    defaults: { maxPayload: sending.maxBytesPerSend, maxDescriptors: sending.maxDescriptorsPerSend },
    connection: (limits) => ({
      reader: new WaylandReader(count, limits.maxPayload),
      writer: wholeFrames(checkMessage),
    }),
  }
}

/** libwayland's buffers (docs/kernel.md, how the peers send and read): it ends the connection over more. */
const sending = {
  maxDescriptorsPerSend: 28,
  maxBytesPerSend: 4096,
}

const headerLength = 8
const word = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? uint32 : uint32Big

class WaylandReader implements FrameReader {
  readonly #count: WaylandCount
  readonly #maxPayload: number
  need = headerLength
  readonly payloadOffset = 0
  payloadLength = 0
  descriptors = 0

  constructor(count: WaylandCount, maxPayload: number) {
    this.#count = count
    this.#maxPayload = maxPayload
  }

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    this.need = headerLength
    if (end - start < headerLength) return 0
    const position = origin + start
    const violation = violationIn(bytes, start)
    if (violation !== undefined) throw new ProtocolError(violation, position)
    const size = sizeIn(bytes, start)
    if (size > this.#maxPayload) throw tooLarge(size, this.#maxPayload, position)
    this.need = size
    if (end - start < size) return 0
    const message = bytes.subarray(start, start + size)
    const descriptors = this.#count(word(bytes, start), word(bytes, start + 4) & 0xffff, message)
    if (!Number.isInteger(descriptors) || descriptors < 0) {
      throw new UsageError(`the count of a wayland message is a whole number, not ${shown(descriptors)}`)
    }
    this.payloadLength = size
    this.descriptors = descriptors
    return size
  }
}

function checkMessage(payload: readonly Uint8Array[], length: number): void {
  const header = leadingBytes(payload, headerLength)
  const violation = header.length < headerLength ? `a message has ${length} bytes` : violationIn(header, 0)
  if (violation !== undefined) throw new UsageError(violation)
  const size = sizeIn(header, 0)
  if (size !== length) throw new UsageError(`the payload has ${length} bytes, by its header it has ${size}`)
}

function violationIn(bytes: Uint8Array, start: number): string | undefined {
  const size = sizeIn(bytes, start)
  if (word(bytes, start) === 0) return 'a message is of object 0, which is none'
  if (size < headerLength) return `a message has the size ${size}, expected its header's ${headerLength} at least`
  if (size % 4 !== 0) return `a message has the size ${size}, expected a multiple of 4`
  return undefined
}

function sizeIn(bytes: Uint8Array, start: number): number {
  return word(bytes, start + 4) >>> 16
}
