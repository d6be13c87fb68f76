/**
 * MessageRoom: what fits in a frame of the transport's. A message that does not must not reach the Outbox, where it ends
 * the session: a call fails alone, results become an exception, and an exception is cut.
 *
 * Knows lengths. What becomes of a message that is too long is for whoever made it to decide.
 */
import { FrameTooLargeError } from '../../errors.js'
import type { RpcTransport } from '../transport.js'
import { contentOf, type Wire } from '../wire/wire.js'
import { exceptionOf } from './exceptions.js'
import type { CapDescriptor, Message, Path, WireException, WirePayload } from './messages.js'
import type { Vat } from './vat.js'

/** More than any message takes beside what is counted for it. */
const fixedBytes = 1024
/** More than what stands before a name in a path, or is an index. */
const itemBytes = 32
const noDetail = new Uint8Array(0)

export class MessageRoom {
  readonly #transport: RpcTransport
  readonly #wire: Wire

  constructor(transport: RpcTransport, wire: Wire) {
    this.#transport = transport
    this.#wire = wire
  }

  /** Why a message cannot be sent, if it is longer than a frame may be. */
  faultOf(message: Message): FrameTooLargeError | undefined {
    const { maxPayload } = this.#transport
    if (mostBytes(message) <= maxPayload) return undefined // most are far from it, and need not be measured
    const length = this.#lengthOf(message)
    if (length <= maxPayload) return undefined
    return new FrameTooLargeError(
      `a ${message.type} of ${length} bytes, the limit is ${maxPayload} (maxPayload)`,
      maxPayload,
    )
  }

  /** The message that tells of an error: without what was thrown, and with less of the reason, if that is what fits. */
  telling<M extends Message>(error: Error, vat: Vat, message: (exception: WireException) => M): M {
    const exception = exceptionOf(error, vat)
    const whole = message(exception)
    if (this.faultOf(whole) === undefined) return whole
    const brief = message({ ...exception, detail: noDetail })
    const excess = this.#lengthOf(brief) - this.#transport.maxPayload
    if (excess <= 0) return brief
    return message({ ...exception, detail: noDetail, reason: shortened(exception.reason, excess) })
  }

  #lengthOf(message: Message): number {
    return bytesOf(contentOf(message), this.#wire.encode(message).length)
  }
}

/** No less than its length, whatever the wire, and found without encoding it. */
function mostBytes(message: Message): number {
  switch (message.type) {
    case 'call': {
      const { params, target, method, trace } = message
      const text = trace === undefined ? 0 : textBytes(trace.traceparent) + textBytes(trace.tracestate ?? '')
      return payloadBytes(params) + pathBytes(target.transform) + pathBytes(method) + text
    }
    case 'return': {
      const { outcome } = message
      if (outcome.kind === 'results') return payloadBytes(outcome.payload)
      return outcome.kind === 'exception' ? exceptionBytes(outcome.exception) : fixedBytes
    }
    case 'resolve': {
      const { resolution } = message
      return resolution.kind === 'cap'
        ? fixedBytes + pathBytes(resolution.cap.transform)
        : exceptionBytes(resolution.exception)
    }
    case 'abort':
      return exceptionBytes(message.exception)
    case 'disembargo':
      return fixedBytes + pathBytes(message.target.transform)
    case 'unimplemented':
    case 'unknown':
      return fixedBytes + message.message.length
    default:
      return fixedBytes
  }
}

function payloadBytes({ content, more, capTable }: WirePayload): number {
  let bytes = fixedBytes + content.length
  if (more !== undefined) bytes = bytesOf(more, bytes)
  for (const cap of capTable) bytes += capBytes(cap)
  return bytes
}

function capBytes({ transform }: CapDescriptor): number {
  return itemBytes + pathBytes(transform)
}

function pathBytes(path: Path): number {
  let bytes = 0
  for (const item of path) bytes += itemBytes + (typeof item === 'string' ? textBytes(item) : 0)
  return bytes
}

function exceptionBytes({ reason, detail }: WireException): number {
  return fixedBytes + textBytes(reason) + detail.length
}

/** A UTF-16 unit is up to three bytes of UTF-8. */
function textBytes({ length }: string): number {
  return 3 * length
}

function bytesOf(pieces: readonly Uint8Array[], before: number): number {
  return pieces.reduce((sum, { length }) => sum + length, before)
}

/** Without so many bytes of its UTF-8 at the end, and without half a character there. */
function shortened(text: string, bytes: number): string {
  const utf8 = Buffer.from(text)
  let end = Math.max(0, utf8.length - bytes)
  while (end > 0 && ((utf8[end] as number) & 0xc0) === 0x80) end--
  return utf8.toString('utf8', 0, end)
}
