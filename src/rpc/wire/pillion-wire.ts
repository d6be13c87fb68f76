/**
 * The messages as pillion puts them on the wire, to the byte: docs/rpc-protocol.md. Values inside are MessagePack.
 */
import type {
  CallMode,
  CapDescriptor,
  Message,
  MessageTarget,
  Path,
  ReturnOutcome,
  TraceContext,
  WireException,
  WirePayload,
} from '../machine/messages.js'
import { mostCaps, mostPathItems, noPath } from '../machine/messages.js'
import { rpcErrorTypes } from '../rpc-error.js'
import { ByteReader } from './byte-reader.js'
import { ByteWriter } from './byte-writer.js'
import { soleContentOf, type Wire } from './wire.js'

const kinds = [
  'unimplemented',
  'abort',
  'call',
  'return',
  'finish',
  'resolve',
  'release',
  'disembargo',
  'bootstrap',
  'ping',
] as const
const modes: readonly CallMode[] = ['call', 'get', 'map']
const capKinds = ['none', 'senderHosted', 'senderPromise', 'receiverHosted', 'receiverAnswer'] as const
const outcomes = ['results', 'exception', 'canceled', 'resultsSentElsewhere', 'takeFromOtherQuestion'] as const

/** Content up to this length goes with its head. */
const longestCopied = 1024

const noCaps: readonly CapDescriptor[] = Object.freeze([])

const CallFlag = {
  mode: 0b11,
  toYourself: 0b100,
  noPipelining: 0b1000,
  deadline: 0b1_0000,
  trace: 0b10_0000,
  onlyPipeline: 0b100_0000,
} as const
const ReturnFlag = { outcome: 0b111, releaseParamCaps: 0b1000, noFinishNeeded: 0b1_0000 } as const

export class PillionWire implements Wire {
  readonly #out = new ByteWriter()
  readonly #in = new ByteReader()

  encode(message: Message): Uint8Array {
    const out = this.#out
    out.start()
    if (message.type === 'unknown') {
      out.rest(message.message)
      return out.bytes
    }
    out.byte(kinds.indexOf(message.type))
    switch (message.type) {
      case 'unimplemented':
        out.rest(message.message)
        break
      case 'abort':
        this.#writeException(message.exception)
        break
      case 'call': {
        const { target, params, trace, deadline } = message
        out.integer(message.questionId)
        out.byte(
          modes.indexOf(message.mode) |
            (message.sendResultsTo === 'yourself' ? CallFlag.toYourself : 0) |
            (message.noPromisePipelining ? CallFlag.noPipelining : 0) |
            (message.onlyPromisePipeline ? CallFlag.onlyPipeline : 0) |
            (deadline > 0 ? CallFlag.deadline : 0) |
            (trace === undefined ? 0 : CallFlag.trace),
        )
        this.#writeTarget(target)
        this.#writePath(message.method)
        if (deadline > 0) out.integer(deadline)
        if (trace !== undefined) {
          out.string(trace.traceparent)
          out.string(trace.tracestate ?? '')
        }
        this.#writePayload(params)
        break
      }
      case 'return':
        out.integer(message.answerId)
        out.byte(
          outcomes.indexOf(message.outcome.kind) |
            (message.releaseParamCaps ? ReturnFlag.releaseParamCaps : 0) |
            (message.noFinishNeeded ? ReturnFlag.noFinishNeeded : 0),
        )
        this.#writeOutcome(message.outcome)
        break
      case 'finish':
        out.integer(message.questionId)
        out.byte(message.releaseResultCaps ? 1 : 0)
        break
      case 'resolve':
        out.integer(message.promiseId)
        if (message.resolution.kind === 'cap') {
          out.byte(0)
          this.#writeCap(message.resolution.cap)
        } else {
          out.byte(1)
          this.#writeException(message.resolution.exception)
        }
        break
      case 'release':
        out.integer(message.id)
        out.integer(message.referenceCount)
        break
      case 'disembargo':
        out.byte(message.context === 'senderLoopback' ? 0 : 1)
        out.integer(message.embargoId)
        this.#writeTarget(message.target)
        break
      case 'bootstrap':
        out.integer(message.questionId)
        break
      case 'ping':
        break
    }
    return out.bytes
  }

  encodeWhole(message: Message): Uint8Array | undefined {
    const content = soleContentOf(message)
    if (content === undefined || content.length > longestCopied) return undefined
    this.encode(message)
    this.#out.rest(content)
    return this.#out.bytes
  }

  decode(bytes: Uint8Array): Message {
    const from = this.#in
    from.start(bytes)
    const message = this.#read()
    from.end()
    return message
  }

  #read(): Message {
    const from = this.#in
    const type = kinds[from.byte()]
    switch (type) {
      case 'unimplemented':
        return { type, message: from.rest() }
      case 'abort':
        return { type, exception: this.#readException() }
      case 'call': {
        const questionId = from.integer()
        const flags = from.byte()
        const mode = modes[flags & CallFlag.mode]
        if (mode === undefined || flags > 0b111_1111) throw from.refused(`call flags ${flags}`)
        return {
          type,
          questionId,
          target: this.#readTarget(),
          mode,
          method: this.#readPath(),
          noPromisePipelining: (flags & CallFlag.noPipelining) !== 0,
          onlyPromisePipeline: (flags & CallFlag.onlyPipeline) !== 0,
          sendResultsTo: (flags & CallFlag.toYourself) === 0 ? 'caller' : 'yourself',
          deadline: (flags & CallFlag.deadline) === 0 ? 0 : from.integer(Number.MAX_SAFE_INTEGER),
          trace: (flags & CallFlag.trace) === 0 ? undefined : this.#readTrace(),
          params: this.#readPayload(),
        }
      }
      case 'return': {
        const answerId = from.integer()
        const flags = from.byte()
        if (flags > 0b1_1111) throw from.refused(`return flags ${flags}`)
        return {
          type,
          answerId,
          releaseParamCaps: (flags & ReturnFlag.releaseParamCaps) !== 0,
          noFinishNeeded: (flags & ReturnFlag.noFinishNeeded) !== 0,
          outcome: this.#readOutcome(outcomes[flags & ReturnFlag.outcome]),
        }
      }
      case 'finish':
        return { type, questionId: from.integer(), releaseResultCaps: this.#readBit() }
      case 'resolve': {
        const promiseId = from.integer()
        const resolution = this.#readBit()
          ? ({ kind: 'exception', exception: this.#readException() } as const)
          : ({ kind: 'cap', cap: this.#readCap() } as const)
        return { type, promiseId, resolution }
      }
      case 'release':
        return { type, id: from.integer(), referenceCount: from.integer() }
      case 'disembargo': {
        const context = this.#readBit() ? 'receiverLoopback' : 'senderLoopback'
        return { type, context, embargoId: from.integer(), target: this.#readTarget() }
      }
      case 'bootstrap':
        return { type, questionId: from.integer() }
      case 'ping':
        return { type }
      default:
        return { type: 'unknown', message: from.all() }
    }
  }

  #writeTarget({ kind, id, transform }: MessageTarget): void {
    this.#out.byte(kind === 'importedCap' ? 0 : 1)
    this.#out.integer(id)
    if (kind === 'promisedAnswer') this.#writePath(transform)
  }

  #readTarget(): MessageTarget {
    const promised = this.#readBit()
    const id = this.#in.integer()
    return promised
      ? { kind: 'promisedAnswer', id, transform: this.#readPath() }
      : { kind: 'importedCap', id, transform: noPath }
  }

  /** Each item: a byte 0 and a string, or a byte 1 and an index. */
  #writePath(path: Path): void {
    const { length } = path
    this.#out.integer(length)
    for (let i = 0; i < length; i++) {
      const item = path[i] as string | number
      if (typeof item === 'number') {
        this.#out.byte(1)
        this.#out.integer(item)
      } else {
        this.#out.byte(0)
        this.#out.string(item)
      }
    }
  }

  #readPath(): Path {
    const length = this.#in.integer(mostPathItems)
    if (length === 0) return noPath
    if (length === 1) return this.#readBit() ? [this.#in.integer()] : this.#in.pathOfName()
    const path: (string | number)[] = []
    for (let i = 0; i < length; i++) path.push(this.#readBit() ? this.#in.integer() : this.#in.string())
    return path
  }

  /** The content is the rest of the message, and not in its head. */
  #writePayload({ capTable }: WirePayload): void {
    const { length } = capTable
    this.#out.integer(length)
    for (let i = 0; i < length; i++) this.#writeCap(capTable[i] as CapDescriptor)
  }

  #readPayload(): WirePayload {
    const length = this.#in.integer(mostCaps)
    if (length === 0) return { content: this.#in.rest(), capTable: noCaps }
    if (length === 1) return { capTable: [this.#readCap()], content: this.#in.rest() }
    const capTable: CapDescriptor[] = []
    for (let i = 0; i < length; i++) capTable.push(this.#readCap())
    return { content: this.#in.rest(), capTable }
  }

  #writeCap({ kind, id, transform }: CapDescriptor): void {
    this.#out.byte(capKinds.indexOf(kind))
    if (kind === 'none') return
    this.#out.integer(id)
    if (kind === 'receiverAnswer') this.#writePath(transform)
  }

  #readCap(): CapDescriptor {
    const number = this.#in.byte()
    const kind = capKinds[number]
    if (kind === undefined) throw this.#in.refused(`a capability of kind ${number}`)
    const id = kind === 'none' ? 0 : this.#in.integer()
    return { kind, id, transform: kind === 'receiverAnswer' ? this.#readPath() : noPath }
  }

  #writeException({ type, reason, detail }: WireException): void {
    this.#out.byte(rpcErrorTypes.indexOf(type))
    this.#out.string(reason)
    this.#out.bytesOf(detail)
  }

  #readException(): WireException {
    // A type that is not known is `failed`, as rpc.capnp has it.
    const type = rpcErrorTypes[this.#in.byte()] ?? 'failed'
    return { type, reason: this.#in.string(), detail: this.#in.bytesOf() }
  }

  #writeOutcome(outcome: ReturnOutcome): void {
    if (outcome.kind === 'results') this.#writePayload(outcome.payload)
    else if (outcome.kind === 'exception') this.#writeException(outcome.exception)
    else if (outcome.kind === 'takeFromOtherQuestion') this.#out.integer(outcome.questionId)
  }

  #readOutcome(kind: ReturnOutcome['kind'] | undefined): ReturnOutcome {
    switch (kind) {
      case 'results':
        return { kind, payload: this.#readPayload() }
      case 'exception':
        return { kind, exception: this.#readException() }
      case 'takeFromOtherQuestion':
        return { kind, questionId: this.#in.integer() }
      case undefined:
        throw this.#in.refused('an outcome that is none')
      default:
        return { kind }
    }
  }

  #readTrace(): TraceContext {
    const traceparent = this.#in.string()
    const tracestate = this.#in.string()
    return tracestate === '' ? { traceparent } : { traceparent, tracestate }
  }

  #readBit(): boolean {
    const bit = this.#in.byte()
    if (bit > 1) throw this.#in.refused(`${bit} for yes or no`)
    return bit === 1
  }
}
