/**
 * What a JSON-RPC message is in a frame: JSON's text where the stream speaks contentLength(), so that any peer of the
 * protocol can read it; else MessagePack, with descriptors anywhere in it. Knows no connection.
 *
 * A frame with descriptors says ahead of the message what it is about, since with one of them lost nobody can read on:
 *
 *     u32 bytes of the head, little-endian · the head, [id, method] · the message
 */
import { DescriptorLostError, UsageError } from '../../errors.js'
import { packValue, RpcError, unpackValue } from '../../rpc/index.js'
import type { Descriptor, FrameBatch } from '../../stream/index.js'
import { closeAll } from '../link/unwanted.js'
import { type Found, findDescriptors } from './json-descriptors.js'

export interface Encoded {
  readonly payload: Uint8Array | readonly Uint8Array[]
  readonly descriptors: readonly Descriptor[]
}

export interface Decoded {
  readonly message: unknown
  readonly descriptors: readonly Descriptor[]
  /** A descriptor is missing: then the message has an id and a method alone. */
  readonly lost?: DescriptorLostError
}

export interface Encoding {
  /** Throws UsageError for what cannot travel. Descriptors in a result are the message's, also when it throws. */
  encode(message: Envelope): Encoded
  /** Throws RpcError of origin `remote`; then what came is closed. */
  decode(batch: FrameBatch, i: number): Decoded
}

export interface Envelope {
  readonly id?: unknown
  readonly method?: unknown
  readonly result?: unknown
}

const none: readonly Descriptor[] = Object.freeze([])

export const json: Encoding = {
  encode(message) {
    let text: string
    try {
      text = JSON.stringify(message)
    } catch (error) {
      if (message.result !== undefined) closeFound(findDescriptors(message, false))
      throw error
    }
    // That is how a Descriptor is written, having no properties, and a Map or a Set: where it does not stand there is none.
    if (text.includes('{}')) refuseDescriptors(message)
    return { payload: Buffer.from(text), descriptors: none }
  },
  decode(batch, i) {
    const { buffer, byteOffset } = batch.bytes
    const start = batch.start(i)
    const text = Buffer.from(buffer, byteOffset + start, batch.end(i) - start).toString()
    try {
      return { message: JSON.parse(text), descriptors: none }
    } catch (cause) {
      throw new RpcError('failed', 'a message is no JSON', { origin: 'remote', cause })
    }
  },
}

export const messagePack: Encoding = {
  encode(message) {
    const { payload, descriptors } = packValue(message, { transfer: message.result !== undefined })
    if (descriptors.length === 0) return { payload, descriptors }
    const head = packValue([message.id, message.method]).payload
    const length = Buffer.alloc(4)
    length.writeUInt32LE(head.length)
    return { payload: [length, head, payload], descriptors }
  },
  decode(batch, i) {
    const frame = batch.frame(i)
    const { payload, descriptors, lost } = frame
    if (descriptors.length === 0 && lost === 0) {
      return { message: unpackValue(frame).value, descriptors }
    }
    let head: unknown
    const at = payload.length < 4 ? payload.length : 4 + Buffer.from(payload.buffer, payload.byteOffset).readUInt32LE()
    try {
      head = unpackValue({ payload: payload.subarray(4, at), descriptors: none, lost: 0 }).value
      if (!Array.isArray(head)) throw new RpcError('failed', 'a message has no head', { origin: 'remote' })
    } catch (error) {
      frame[Symbol.dispose]()
      throw error
    }
    if (lost > 0) {
      frame[Symbol.dispose]()
      const [id, method] = head as unknown[]
      return {
        message: { id, method },
        descriptors: none,
        lost: new DescriptorLostError('a descriptor of the message was lost'),
      }
    }
    const { value, descriptors: owned } = unpackValue({ payload: payload.subarray(at), descriptors, lost })
    return { message: value, descriptors: owned }
  },
}

function refuseDescriptors(message: Envelope): void {
  const found = findDescriptors(message, true)
  const [first] = found
  if (first === undefined) return
  if (message.result !== undefined) closeFound(found)
  throw new UsageError(
    `${first.path}: a Descriptor cannot travel in JSON: let both ends use the codec pillion() in place of contentLength()`,
  )
}

function closeFound(found: readonly Found[]): void {
  closeAll(found.map(({ descriptor }) => descriptor))
}
