/**
 * D-Bus: lines until both sides have agreed, then messages that announce their descriptors.
 *
 * A connection's reader and writer share the text phase, since what one side sends decides what the other sends next.
 */
import { checkOptions, shown } from '../../arguments.js'
import { FrameTooLargeError, ProtocolError, UsageError } from '../../errors.js'
import type { Codec, CodecConnection, FrameReader, FrameWriter } from '../codec.js'
import type { FrameLimits } from '../limits.js'
import { tooLarge } from '../refusals.js'
import { leadingBytes } from './bytes.js'
import { DbusAuth, type DbusSide, mostLineBytes } from './dbus-auth.js'
import { DbusMessageHeader, fixedLength, mostBytes } from './dbus-message.js'

export interface DbusOptions {
  /** Whether the connection begins with the text phase, and as which side of it. Default `client`. */
  readonly auth?: 'client' | 'server' | 'done'
  /** Most descriptors of a message, sent or received unless the stream's own option differs. Default 16, libdbus's limit. */
  readonly maxDescriptors?: number
}

/**
 * A payload is a whole line, CRLF included (the client's first with its leading NUL), or a whole message. Messages may
 * be sent behind the line BEGIN at once. Up to 128 MiB, as the specification has it.
 */
export function dbus(options: DbusOptions = {}): Codec {
  checkOptions(options)
  const { auth = 'client', maxDescriptors = 16 } = options
  if (auth !== 'client' && auth !== 'server' && auth !== 'done') {
    throw new UsageError(`auth is 'client', 'server' or 'done', not ${shown(auth)}`)
  }
  if (!Number.isInteger(maxDescriptors) || maxDescriptors < 0 || maxDescriptors > mostDescriptors) {
    throw new UsageError(
      `maxDescriptors is a whole number from 0 to ${mostDescriptors} for D-Bus, not ${shown(maxDescriptors)}`,
    )
  }
  return {
    name: 'dbus',
    pairing: 'announced',
    sending: { maxDescriptorsPerSend: maxDescriptors },
    defaults: { maxPayload: mostBytes, maxDescriptors },
    connection: (limits) => connect(auth, { ...limits, maxPayload: Math.min(limits.maxPayload, mostBytes) }),
  }
}

/** What one sendmsg takes (docs/kernel.md fact 6). */
const mostDescriptors = 253
const lineFeed = 0x0a

function connect(auth: 'client' | 'server' | 'done', limits: FrameLimits): CodecConnection {
  const phase = new DbusAuth(auth === 'done')
  const [ours, theirs]: DbusSide[] = auth === 'server' ? ['server', 'client'] : ['client', 'server']
  return { reader: new DbusReader(phase, theirs!, limits), writer: new DbusWriter(phase, ours!, limits) }
}

class DbusReader implements FrameReader {
  readonly #auth: DbusAuth
  readonly #side: DbusSide
  readonly #limits: FrameLimits
  readonly #header = new DbusMessageHeader()
  /** Bytes of an incomplete line that have been looked at. */
  #searched = 0
  need = 1
  readonly payloadOffset = 0
  payloadLength = 0
  descriptors = 0

  constructor(auth: DbusAuth, side: DbusSide, limits: FrameLimits) {
    this.#auth = auth
    this.#side = side
    this.#limits = limits
  }

  measure(bytes: Uint8Array, start: number, end: number, origin: number): number {
    const isText = this.#searched > 0 || this.#auth.isText(this.#side)
    return isText ? this.#measureLine(bytes, start, end, origin) : this.#measureMessage(bytes, start, end, origin)
  }

  #measureLine(bytes: Uint8Array, start: number, end: number, origin: number): number {
    const most = Math.min(mostLineBytes, this.#limits.maxPayload)
    const seen = bytes.subarray(start, Math.min(end, start + most))
    const found = seen.indexOf(lineFeed, this.#searched)
    if (found < 0) {
      if (seen.length === most) throw lineTooLong(most, origin + start)
      this.#searched = seen.length
      this.need = seen.length + 1
      return 0
    }
    const line = seen.subarray(0, found + 1)
    const violation = this.#auth.violationIn(this.#side, line)
    if (violation !== undefined) throw new ProtocolError(violation, origin + start)
    this.#auth.pass(this.#side, line)
    this.#searched = 0
    this.descriptors = 0
    this.payloadLength = line.length
    return line.length
  }

  #measureMessage(bytes: Uint8Array, start: number, end: number, origin: number): number {
    const header = this.#header
    this.need = fixedLength
    if (end - start < this.need) return 0
    this.#refuse(header.readFixed(bytes, start), origin + start)
    const { maxPayload } = this.#limits
    if (header.length > maxPayload) throw tooLarge(header.length, maxPayload, origin + start)
    this.need = header.headerLength
    if (end - start < this.need) return 0
    this.#refuse(header.readFields(bytes, start), origin + start)
    this.descriptors = header.descriptors
    this.payloadLength = header.length
    return header.length
  }

  #refuse(violation: string | undefined, position: number): void {
    if (violation !== undefined) throw new ProtocolError(violation, position)
  }
}

class DbusWriter implements FrameWriter {
  readonly #auth: DbusAuth
  readonly #side: DbusSide
  readonly #limits: FrameLimits
  readonly #header = new DbusMessageHeader()
  /** The line that was checked last, until it goes out. */
  #line: Uint8Array | undefined

  constructor(auth: DbusAuth, side: DbusSide, limits: FrameLimits) {
    this.#auth = auth
    this.#side = side
    this.#limits = limits
  }

  check(payload: readonly Uint8Array[], length: number, descriptors: number): void {
    this.#line = undefined
    if (this.#auth.isText(this.#side)) this.#checkLine(payload, length, descriptors)
    else this.#checkMessage(payload, length, descriptors)
  }

  prefixLength(): number {
    return 0
  }

  /** Nothing is written: the frame goes out. */
  writePrefix(): void {
    if (this.#line !== undefined) this.#auth.pass(this.#side, this.#line)
    this.#line = undefined
  }

  #checkLine(payload: readonly Uint8Array[], length: number, descriptors: number): void {
    if (length > mostLineBytes) throw lineTooLong(mostLineBytes)
    if (descriptors > 0) throw new UsageError('a line of the text phase bears no descriptors')
    const line = leadingBytes(payload, length)
    const violation = this.#auth.violationIn(this.#side, line)
    if (violation !== undefined) throw new UsageError(`before BEGIN a payload is one line: ${violation}`)
    this.#line = line
  }

  #checkMessage(payload: readonly Uint8Array[], length: number, descriptors: number): void {
    const header = this.#header
    const violation =
      length < fixedLength ? `a message has ${length} bytes` : header.readFixed(leadingBytes(payload, fixedLength), 0)
    if (violation !== undefined) throw new UsageError(violation)
    if (header.length > this.#limits.maxPayload) {
      throw new FrameTooLargeError(`a message of ${header.length} bytes`, this.#limits.maxPayload)
    }
    if (header.length !== length) {
      throw new UsageError(`the payload has ${length} bytes, by its header it has ${header.length}`)
    }
    const wrong = header.readFields(leadingBytes(payload, header.headerLength), 0)
    if (wrong !== undefined) throw new UsageError(wrong)
    if (header.descriptors === descriptors) return
    throw new UsageError(`a message announces ${header.descriptors} descriptors, and it is sent with ${descriptors}`)
  }
}

function lineTooLong(limit: number, position?: number): FrameTooLargeError {
  return new FrameTooLargeError(`a line of the text phase has over ${limit} bytes`, limit, position)
}
