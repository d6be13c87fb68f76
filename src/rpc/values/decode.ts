/**
 * Decoding: from a payload to a JavaScript value, in two ways.
 *
 * `decodeTree` leaves references where capabilities and descriptors are, and owns nothing: to look into a value, or encode
 * a part of it again. `decodeValue` hands the payload over: stubs, streams and Descriptors are made of it, and what the
 * value does not refer to is released.
 */

import { DescriptorLostError } from '../../errors.js'
import type { Descriptor } from '../../transport/index.js'
import type { Capability } from '../machine/capability.js'
import type { Path } from '../machine/messages.js'
import type { Payload } from '../machine/payload.js'
import type { ValueLimits } from './limits.js'
import { bigintOf, binaryOf, errorOf, ownBytes, refused, regexpOf } from './marked-values.js'
import type { Incoming, ReceivedStream } from './passing.js'
import { CapabilityReference, DescriptorReference, PromiseReference } from './reference.js'
import { scanValue } from './scan.js'
import { decodeShort, undecided } from './short-value.js'
import { type CapabilityTag, markKey, partsOf, Tag } from './tags.js'
import { unpack } from './value-codec.js'

/** Bytes of a Uint8Array under which a copy is as cheap as a view. */
export const leastView = 4096

/** A value that was promised, and where it belongs. Owns its capability. */
export interface Promised {
  readonly cap: Capability
  readonly path: Path
  fill(value: unknown): void
}

export interface Decoded {
  value: unknown
  /** Stubs, Descriptors and streams that are in the value: the receiver's, to dispose of. */
  readonly owned: Disposable[]
  /** To be filled in before the value is used. */
  readonly promised: Promised[]
}

/** Throws RpcError of origin `remote` for what is no value, DescriptorLostError where one is missing. Owns nothing. */
export function decodeTree(payload: Payload, limits: ValueLimits): unknown {
  if (isSoleCapability(payload)) {
    return new CapabilityReference(Tag.capability, payload.caps[0] as Capability, 0)
  }
  const short = decodeShort(payload.content, limits)
  if (short !== undecided) return short
  const { marks, binaries } = scanValue(payload.content, limits)
  const value = unpack(payload.content)
  return marks || binaries ? new TreeDecoder(payload).decode(value) : value
}

/** What most methods give that return an object: the mark of capability 0, and nothing else. */
function isSoleCapability({ content, caps }: Payload): boolean {
  if (caps.length !== 1 || content.length !== soleCapability.length) return false
  for (let i = 0; i < soleCapability.length; i++) if (content[i] !== soleCapability[i]) return false
  return true
}

const soleCapability: readonly number[] = [0x81, 0xa1, 0x00, 0x92, Tag.capability, 0x00]

/** A short value that is nothing but data: as most are, so that it is looked for first. `undecided` for others. */
export function decodeData(payload: Payload, limits: ValueLimits): unknown {
  return payload.plain ? decodeShort(payload.content, limits) : undecided
}

/** Whether a Uint8Array may be a view of the payload's content: where nobody else has that memory. */
export type Binaries = 'copies' | 'views'

/** As `decodeTree`; takes over the payload, also when it throws. */
export function decodeValue(
  payload: Payload,
  incoming: Incoming,
  limits: ValueLimits,
  bytes: Binaries = 'copies',
): Decoded {
  const data = decodeData(payload, limits)
  if (data !== undecided) return { value: data, owned: none, promised: none }
  let decoder: ValueDecoder | undefined
  try {
    const { marks, binaries } = scanValue(payload.content, limits)
    const value = unpack(payload.content)
    if (!marks && !binaries && payload.plain) return { value, owned: none, promised: none }
    const result: Decoded = { value, owned: [], promised: [] }
    decoder = new ValueDecoder(payload, incoming, result, bytes)
    result.value = decoder.decode(value)
    return result
  } catch (error) {
    decoder?.abandon()
    throw error
  } finally {
    if (decoder === undefined) payload.release()
    else decoder.releaseUnused()
  }
}

const none: never[] = []
Object.freeze(none)

abstract class Decoder {
  protected readonly payload: Payload

  constructor(payload: Payload) {
    this.payload = payload
  }

  decode(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) value[i] = this.member(value, i)
      return value
    }
    if (value instanceof Uint8Array) return this.bytes(value)
    const object = value as Record<string, unknown>
    return markKey in object ? this.#marked(object) : this.#members(object)
  }

  /** The member of an array or object; what a promise there turns out to be takes its place. */
  protected member(container: Record<string | number, unknown> | unknown[], key: string | number): unknown {
    return this.decode((container as Record<string | number, unknown>)[key])
  }

  protected bytes(view: Uint8Array): Uint8Array {
    return ownBytes(view)
  }

  protected abstract capability(tag: CapabilityTag, index: number): unknown
  protected abstract promise(index: number, path: Path): unknown
  /** @param descriptor undefined: there is none of that index */
  protected abstract descriptor(descriptor: Descriptor | undefined, index: number): unknown

  protected capAt(index: unknown): number {
    if (Number.isInteger(index) && (index as number) >= 0 && (index as number) < this.payload.caps.length) {
      return index as number
    }
    throw refused(`it refers to capability ${String(index)} of ${this.payload.caps.length}`)
  }

  #members(object: Record<string, unknown>): Record<string, unknown> {
    for (const key of Object.keys(object)) {
      // Awaited, such an object would call the peer and wait for what it says.
      if (key === 'then' && isPromise(object[key])) throw refused('it has a promise `then`')
      const decoded = this.member(object, key)
      if (key === 'then' && typeof decoded === 'function') throw refused('it has a method `then`')
      object[key] = decoded
    }
    return object
  }

  #marked(object: Record<string, unknown>): unknown {
    const parts = object[markKey]
    if (!Array.isArray(parts) || Object.keys(object).length !== 1) throw refused('a mark that is none')
    const [tag, a, b] = parts as readonly unknown[]
    if (parts.length !== partsOf[tag as number]) throw refused(`a mark ${String(tag)} of ${parts.length} parts`)
    switch (tag) {
      case Tag.literal:
        if (!isObject(a)) throw refused('a literal that is no object')
        return this.#members(a)
      case Tag.undefined:
        return undefined
      case Tag.negativeZero:
        return -0
      case Tag.bigint:
        return bigintOf(a)
      case Tag.date:
        if (typeof a !== 'number') throw refused('a date that is no number')
        return new Date(a)
      case Tag.regexp:
        return regexpOf(a, b)
      case Tag.url:
        if (typeof a !== 'string' || !URL.canParse(a)) throw refused('a URL that is none')
        return new URL(a)
      case Tag.map:
        return this.#map(a)
      case Tag.set:
        if (!Array.isArray(a)) throw refused('a set that is no array')
        return new Set(this.#elements(a))
      case Tag.error:
        if (!isObject(a) || Object.values(a).some(isPromise)) throw refused('an error that is none')
        return errorOf(this.#members(a))
      case Tag.binary:
        return binaryOf(a, b)
      case Tag.capability:
      case Tag.readable:
      case Tag.writable:
      case Tag.iterable:
        return this.capability(tag, this.capAt(a))
      case Tag.promise:
        if (!isPath(b)) throw refused('a promise with a path that is none')
        return this.promise(this.capAt(a), b)
      case Tag.descriptor:
        return this.#descriptor(a)
      default:
        throw refused(`an unknown mark ${String(tag)}`)
    }
  }

  /** Of a container that the promised cannot be filled into, once it is made. */
  #elements(array: unknown[]): unknown[] {
    return array.map((element) => {
      if (isPromise(element)) throw refused('a promise as a key, or in a set or map')
      return this.decode(element)
    })
  }

  #map(array: unknown): Map<unknown, unknown> {
    if (!Array.isArray(array) || array.length % 2 !== 0) throw refused('a map that is no array of pairs')
    const flat = this.#elements(array)
    const map = new Map<unknown, unknown>()
    for (let i = 0; i < flat.length; i += 2) map.set(flat[i], flat[i + 1])
    return map
  }

  #descriptor(index: unknown): unknown {
    if (!Number.isInteger(index) || (index as number) < 0) throw refused(`it refers to descriptor ${String(index)}`)
    return this.descriptor(this.payload.descriptors[index as number], index as number)
  }
}

class TreeDecoder extends Decoder {
  protected override capability(tag: CapabilityTag, index: number): unknown {
    return new CapabilityReference(tag, this.payload.caps[index] as Capability, index)
  }

  protected override promise(index: number, path: Path): unknown {
    return new PromiseReference(this.payload.caps[index] as Capability, path, index)
  }

  /** One that is not there may have gone to whoever the value was for: the rest can be looked at all the same. */
  protected override descriptor(descriptor: Descriptor | undefined): unknown {
    return new DescriptorReference(descriptor)
  }
}

class ValueDecoder extends Decoder {
  readonly #result: Decoded
  readonly #incoming: Incoming
  readonly #bytes: Binaries
  readonly #usedCaps = new Set<number>()
  readonly #usedDescriptors = new Set<number>()
  /** Puts what was promised where it is being looked at now. */
  #fill: (value: unknown) => void

  /** @param result what is found is added to it */
  constructor(payload: Payload, incoming: Incoming, result: Decoded, bytes: Binaries) {
    super(payload)
    this.#incoming = incoming
    this.#bytes = bytes
    this.#result = result
    this.#fill = (value) => {
      result.value = value
    }
  }

  /** What nothing refers to: it came along, and is nobody's. */
  releaseUnused(): void {
    for (const [i, cap] of this.payload.caps.entries()) if (!this.#usedCaps.has(i)) cap.release()
    for (const [i, descriptor] of this.payload.descriptors.entries()) {
      if (!this.#usedDescriptors.has(i)) descriptor.close()
    }
  }

  /** What has been made so far, of a value that cannot be. */
  abandon(): void {
    for (const disposable of this.#result.owned) disposable[Symbol.dispose]()
    for (const { cap } of this.#result.promised) cap.release()
  }

  protected override member(container: Record<string | number, unknown> | unknown[], key: string | number): unknown {
    this.#fill = (value) => {
      ;(container as Record<string | number, unknown>)[key] = value
    }
    return super.member(container, key)
  }

  /** A view keeps all of the content in memory: only for the one that is most of it. */
  protected override bytes(view: Uint8Array): Uint8Array {
    const mostOfIt = view.length >= leastView && view.length * 2 > this.payload.content.length
    return this.#bytes === 'views' && mostOfIt
      ? new Uint8Array(view.buffer, view.byteOffset, view.length)
      : super.bytes(view)
  }

  protected override capability(tag: CapabilityTag, index: number): unknown {
    const cap = this.#takeCap(index)
    switch (tag) {
      case Tag.readable:
        return this.#stream(this.#incoming.readable(cap))
      case Tag.writable:
        return this.#stream(this.#incoming.writable(cap))
      case Tag.iterable:
        return this.#stream(this.#incoming.iterable(cap))
      default: {
        const stub = this.#incoming.stub(cap)
        this.#result.owned.push(stub as Disposable)
        return stub
      }
    }
  }

  protected override promise(index: number, path: Path): unknown {
    this.#result.promised.push({ cap: this.#takeCap(index), path, fill: this.#fill })
    return undefined
  }

  protected override descriptor(descriptor: Descriptor | undefined, index: number): unknown {
    if (descriptor === undefined) return this.#missing(index)
    if (this.#usedDescriptors.has(index)) throw refused(`it refers to descriptor ${index} twice`)
    this.#usedDescriptors.add(index)
    this.#result.owned.push(descriptor)
    return descriptor
  }

  #missing(index: number): unknown {
    const { descriptors, lost } = this.payload
    if (lost === 0) throw refused(`it refers to descriptor ${index} of ${descriptors.length}`)
    const error = new DescriptorLostError(
      `descriptor ${index} of the message was lost on the way: the receiver's table was full`,
    )
    if (this.#incoming.lostDescriptor === undefined) throw error
    return this.#incoming.lostDescriptor(error)
  }

  #stream<T>(received: ReceivedStream<T>): T {
    this.#result.owned.push(received)
    return received.value
  }

  #takeCap(index: number): Capability {
    const cap = this.payload.caps[index] as Capability
    if (this.#usedCaps.has(index)) return cap.addRef()
    this.#usedCaps.add(index)
    return cap
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

function isPromise(value: unknown): boolean {
  if (!isObject(value)) return false
  const parts = value[markKey]
  return Array.isArray(parts) && parts[0] === Tag.promise
}

function isPath(value: unknown): value is Path {
  if (!Array.isArray(value)) return false
  return value.every((item) => typeof item === 'string' || (Number.isSafeInteger(item) && item >= 0))
}
