/**
 * Messages behind a header, as the Language Server Protocol and the Debug Adapter Protocol have them; descriptors by frame
 * boundaries. What a message says is not looked at.
 *
 *     Content-Length: 27 CR LF · other fields, each with CR LF · CR LF · the bytes
 */
import { ProtocolError } from '../../errors.js'
import type { Codec, FrameReader, FrameWriter } from '../codec.js'

/** A payload is what follows the header. By default no descriptors: no other implementation of these protocols has any. */
export function contentLength(): Codec {
  return theCodec
}

/** Bytes of a header; that of most messages has about 22. */
const mostHeader = 4096
const headerStart = Buffer.from('Content-Length: ')
const headerEnd = Buffer.from('\r\n\r\n')
const [carriageReturn, lineFeed, zero] = [0x0d, 0x0a, 0x30]
/** More digits than a safe integer has. */
const mostDigits = 15

const theCodec: Codec = {
  name: 'content-length',
  pairing: 'boundary',
  defaults: { maxDescriptors: 0 },
  connection: () => ({ reader: new ContentLengthReader(), writer }),
}

class ContentLengthReader implements FrameReader {
  need = headerEnd.length
  payloadOffset = 0
  payloadLength = 0
  readonly descriptors = 0
  /** Bytes of the header that have been looked at, and in which it does not end. */
  #searched = 0

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    const length = this.#measureUsual(bytes, start, end)
    if (length > 0) return length
    const last = Math.min(end, start + mostHeader)
    const found = Buffer.from(bytes.buffer, bytes.byteOffset + start, last - start).indexOf(headerEnd, this.#searched)
    if (found < 0) {
      if (last - start === mostHeader) {
        throw new ProtocolError(`a header does not end within ${mostHeader} bytes`, origin + start)
      }
      this.#searched = Math.max(0, last - start - headerEnd.length + 1)
      this.need = last - start + 1
      return 0
    }
    this.#searched = 0
    this.payloadOffset = found + headerEnd.length
    const header = Buffer.from(bytes.buffer, bytes.byteOffset + start, found).toString('latin1')
    this.payloadLength = announcedLength(header, origin + start)
    return this.payloadOffset + this.payloadLength
  }

  /** The header that nearly all messages have: this one field, written in this way. */
  #measureUsual(bytes: Uint8Array, start: number, end: number): number {
    if (end - start < headerStart.length + headerEnd.length) return 0
    for (let i = 0; i < headerStart.length; i++) if (bytes[start + i] !== headerStart[i]) return 0
    const digits = start + headerStart.length
    let at = digits
    let length = 0
    for (; at < end && at - digits < mostDigits; at++) {
      const digit = (bytes[at] as number) - zero
      if (digit < 0 || digit > 9) break
      length = length * 10 + digit
    }
    if (at === digits || end - at < headerEnd.length) return 0
    for (let i = 0; i < headerEnd.length; i++) if (bytes[at + i] !== headerEnd[i]) return 0
    this.#searched = 0
    this.payloadOffset = at + headerEnd.length - start
    this.payloadLength = length
    return this.payloadOffset + length
  }
}

function announcedLength(header: string, position: number): number {
  let length: number | undefined
  for (const line of header.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon < 1) throw new ProtocolError('a line of a header is no field', position)
    if (line.slice(0, colon).trim().toLowerCase() !== 'content-length') continue
    if (length !== undefined) throw new ProtocolError('a header says Content-Length twice', position)
    const value = line.slice(colon + 1).trim()
    if (!/^\d{1,15}$/.test(value)) throw new ProtocolError('a Content-Length is no number of bytes', position)
    length = Number(value)
  }
  if (length === undefined) throw new ProtocolError('a header has no Content-Length', position)
  return length
}

const writer: FrameWriter = {
  prefixLength: (payloadLength) => headerStart.length + String(payloadLength).length + headerEnd.length,
  writePrefix(into, at, payloadLength) {
    into.set(headerStart, at)
    let digitsAt = at + headerStart.length
    for (const digit of String(payloadLength)) into[digitsAt++] = zero + Number(digit)
    into.set([carriageReturn, lineFeed, carriageReturn, lineFeed], digitsAt)
  },
}
