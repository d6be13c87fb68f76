/**
 * Encoding: from a JavaScript value to a Payload, in one go: each property is read once. For what MessagePack has no word
 * for there are marked maps (tags.ts).
 *
 * Lent (arguments): stubs and descriptors stay the caller's, references and duplicates travel. Moved (results): they are
 * the payload's from now on. When encoding throws, lent ones are still the caller's, moved ones are closed.
 */
import { inspect } from 'node:util'
import { ClosedError, type PillionError, UsageError } from '../../errors.js'
import { adoptOwned, surrender } from '../../transport/descriptor.js'
import { Descriptor } from '../../transport/index.js'
import { shared } from '../machine/broken-capability.js'
import type { Capability } from '../machine/capability.js'
import type { Path } from '../machine/messages.js'
import { Payload } from '../machine/payload.js'
import { RpcError } from '../rpc-error.js'
import { RpcTarget } from '../rpc-target.js'
import { mostBigintDigits, type ValueLimits } from './limits.js'
import { type GivenStream, type Outgoing, type Passable, passable } from './passing.js'
import { CapabilityReference, DescriptorReference, PromiseReference } from './reference.js'
import { binaryKinds, type CapabilityTag, markKey, Tag } from './tags.js'
import { disposeWithin } from './unsent.js'
import { onceAround, pathText, spread, type Trail } from './value-path.js'
import { ValueWriter } from './value-writer.js'

export type Ownership = 'lent' | 'moved'

/**
 * @param root what error messages call the value: 'args', 'result'
 * Throws UsageError that names the path of what cannot travel; ClosedError for a stub or descriptor that is closed;
 * SystemError when a descriptor cannot be duplicated.
 */
export function encodeValue(
  value: unknown,
  root: string,
  ownership: Ownership,
  outgoing: Outgoing,
  limits: ValueLimits,
): Payload {
  const encoder = idle.pop() ?? new Encoder()
  try {
    return encoder.encode(value, root, ownership, outgoing, limits)
  } finally {
    if (idle.length < mostIdle) idle.push(encoder)
  }
}

const noCaps: readonly Capability[] = Object.freeze([])
const noDescriptors: readonly Descriptor[] = Object.freeze([])

/** One at a time: encoding may run anybody's code, which may encode other values meanwhile, by another one. */
class Encoder {
  readonly #out = new ValueWriter()
  #root = ''
  #moved = false
  #outgoing!: Outgoing
  #limits!: ValueLimits
  /** What few values have is made when one has it. */
  #caps: Capability[] | undefined
  #descriptors: Descriptor[] | undefined
  #consumed: Passable[] | undefined
  #streams: Map<object, GivenStream> | undefined
  #whole: unknown
  /** The keys that lead from the whole to what is being looked at. */
  readonly #trail: Trail = []
  /** Arrays and maps of MessagePack's around what is written: a mark is two. */
  #depth = 0
  #count = 0

  encode(value: unknown, root: string, ownership: Ownership, outgoing: Outgoing, limits: ValueLimits): Payload {
    this.#root = root
    this.#whole = value
    this.#moved = ownership === 'moved'
    this.#outgoing = outgoing
    this.#limits = limits
    try {
      this.#write(value)
      if (this.#streams !== undefined) for (const stream of this.#streams.values()) stream.begin()
      if (this.#consumed !== undefined) for (const stub of this.#consumed) stub.dispose()
      return new Payload(this.#out.take(), this.#caps ?? noCaps, this.#descriptors ?? noDescriptors)
    } catch (error) {
      if (this.#caps !== undefined) for (const cap of this.#caps) cap.release()
      if (this.#descriptors !== undefined) for (const descriptor of this.#descriptors) descriptor.close()
      if (this.#moved) disposeWithin(value)
      throw error instanceof RangeError ? this.#fault(error.message) : error
    } finally {
      this.#reset()
    }
  }

  /** As new, and holding on to nothing. */
  #reset(): void {
    this.#out.reset()
    if (this.#trail.length > 0) this.#trail.length = 0
    this.#whole = undefined
    this.#caps = undefined
    this.#descriptors = undefined
    this.#consumed = undefined
    this.#streams = undefined
    this.#depth = 0
    this.#count = 0
  }

  /** @param settled nothing can be put in its place later: a promise cannot stand there */
  #write(value: unknown, settled = false): void {
    switch (typeof value) {
      case 'string':
        this.#out.string(value)
        return
      case 'boolean':
        this.#out.boolean(value)
        return
      case 'number':
        if (value === 0 && Object.is(value, -0)) this.#mark(Tag.negativeZero)
        else this.#out.number(value)
        return
      case 'undefined':
        this.#mark(Tag.undefined)
        return
      case 'bigint':
        this.#bigint(value)
        return
      case 'function':
        this.#reference(value, settled)
        return
      case 'symbol':
        throw this.#fault('a symbol cannot travel')
      default:
        if (value === null) this.#out.nil()
        else this.#object(value as object)
    }
  }

  #object(value: object): void {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (Array.isArray(value)) this.#array(value)
    else if (isPlain(value, prototype)) this.#plain(value as Record<string, unknown>)
    else if (value instanceof Uint8Array) this.#out.binary(value)
    else if (value instanceof RpcTarget) this.#target(Tag.capability, value)
    else if (value instanceof Descriptor) this.#descriptor(value)
    else this.#special(value)
  }

  #array(value: readonly unknown[]): void {
    const { length } = value
    this.#out.array(length)
    this.#enter(length)
    const trail = this.#trail
    const last = trail.push(0) - 1
    for (let i = 0; i < length; i++) {
      trail[last] = i
      this.#write(value[i])
    }
    trail.pop()
    this.#leave()
  }

  #plain(value: Record<string, unknown>, settled = false): void {
    const keys = Object.keys(value)
    const literal = Object.hasOwn(value, markKey)
    if (literal) this.#beginMark(Tag.literal, 2)
    this.#out.map(keys.length)
    this.#enter(2 * keys.length)
    const trail = this.#trail
    const last = trail.push('') - 1
    for (const key of keys) {
      trail[last] = key
      if (key === '__proto__') throw this.#fault('an object with a key __proto__ cannot travel: use a Map')
      const member = value[key]
      if (typeof member === 'function' && key === 'then') {
        throw this.#fault('an object with a method `then` would be taken for a promise')
      }
      this.#out.string(key)
      this.#write(member, settled)
    }
    trail.pop()
    this.#leave()
    if (literal) this.#endMark()
  }

  /** An array of entries as they are written one after the other: of a map, keys and values in turn. */
  #entries(tag: number, value: Map<unknown, unknown> | Set<unknown>): void {
    const entries = [...value]
    const width = value instanceof Map ? 2 : 1
    this.#beginMark(tag, 2)
    this.#out.array(entries.length * width)
    this.#enter(entries.length * width)
    for (const [i, entry] of entries.entries()) {
      this.#trail.push(spread, i)
      if (width === 1) {
        this.#write(entry, true)
      } else {
        for (const half of [0, 1] as const) {
          this.#trail.push(half)
          this.#write((entry as [unknown, unknown])[half], true)
          this.#trail.pop()
        }
      }
      this.#trail.length -= 2
    }
    this.#leave()
    this.#endMark()
  }

  #error(value: Error): void {
    this.#beginMark(Tag.error, 2)
    this.#plain(this.#errorParts(value), true)
    this.#endMark()
  }

  #bigint(value: bigint): void {
    const digits = value.toString(16)
    if (digits.length > mostBigintDigits + (value < 0n ? 1 : 0))
      throw this.#fault(`a bigint of more than ${mostBigintDigits} digits in hexadecimal`)
    this.#mark(Tag.bigint, digits)
  }

  #special(value: object): void {
    if (value instanceof Date) this.#mark(Tag.date, value.getTime())
    else if (value instanceof Map) this.#entries(Tag.map, value)
    else if (value instanceof Set) this.#entries(Tag.set, value)
    else if (value instanceof Error) this.#error(value)
    else if (value instanceof RegExp) this.#mark(Tag.regexp, value.source, value.flags)
    else if (value instanceof URL) this.#mark(Tag.url, value.href)
    else if (value instanceof CapabilityReference) this.#cap(value.tag, shared(value.cap))
    else if (value instanceof DescriptorReference) this.#lookedAt(value)
    else if (value instanceof PromiseReference) this.#cap(Tag.promise, shared(value.cap), value.path)
    else this.#other(value)
  }

  /** Of a value that has not been handed over, or of which a part was. */
  #lookedAt({ descriptor }: DescriptorReference): void {
    if (descriptor === undefined) {
      throw new ClosedError(`${this.#path()}: the descriptor went to whoever the results were for`)
    }
    this.#add(this.#named(() => descriptor.dup()))
  }

  #other(value: object): void {
    const kind = binaryKinds.findIndex((type) => value instanceof type)
    if (kind >= 0) this.#mark(Tag.binary, kind, bytesOf(value as ArrayBuffer | ArrayBufferView))
    else if (value instanceof ReadableStream) {
      this.#stream(Tag.readable, value, () => this.#outgoing.readableSource(value))
    } else if (value instanceof WritableStream) {
      this.#stream(Tag.writable, value, () => this.#outgoing.writableTarget(value))
    } else if (isIterable(value)) {
      this.#stream(Tag.iterable, value, () => this.#outgoing.iterableSource(value))
    } else {
      throw this.#fault(adviceFor(value))
    }
  }

  #stream(tag: CapabilityTag, stream: object, give: () => GivenStream): void {
    this.#streams ??= new Map()
    if (this.#streams.has(stream)) throw this.#fault('a stream cannot be in a value twice')
    const given = this.#named(give)
    this.#streams.set(stream, given)
    this.#target(tag, given)
  }

  #reference(value: object, settled: boolean): void {
    const stub = (value as { [passable]?: Passable })[passable]
    if (stub === undefined) {
      this.#target(Tag.capability, value as RpcTarget)
      return
    }
    const known = settled ? undefined : stub.known()
    if (known !== undefined) {
      if (this.#moved) this.#consume(stub)
      this.#write(known.value, settled)
      return
    }
    const { cap, path } = this.#named(() => stub.pass())
    if (path !== undefined && settled) {
      cap.release()
      throw this.#fault('a promise cannot travel in a map, in a set or as a part of an error: await it first')
    }
    if (this.#moved) this.#consume(stub)
    if (path === undefined) this.#cap(Tag.capability, cap)
    else this.#cap(Tag.promise, cap, path)
  }

  #consume(stub: Passable): void {
    this.#consumed ??= []
    this.#consumed.push(stub)
  }

  #target(tag: number, target: RpcTarget): void {
    this.#cap(
      tag,
      this.#named(() => this.#outgoing.hold(target)),
    )
  }

  #cap(tag: number, cap: Capability, path?: Path): void {
    let index = 0
    if (this.#caps === undefined) this.#caps = [cap]
    else index = this.#caps.push(cap) - 1
    this.#beginMark(tag, path === undefined ? 2 : 3)
    this.#out.number(index)
    if (path !== undefined) this.#write(path)
    this.#endMark()
  }

  #descriptor(descriptor: Descriptor): void {
    this.#add(this.#named(() => (this.#moved ? adoptOwned(surrender(descriptor)) : descriptor.dup())))
  }

  #add(descriptor: Descriptor): void {
    this.#descriptors ??= []
    this.#mark(Tag.descriptor, this.#descriptors.push(descriptor) - 1)
  }

  // ── arrays, maps and marks ───────────────────────────────────────────────────────────────────────────────────────

  /** A mark, whole. */
  #mark(tag: number, ...parts: (string | number | Uint8Array | Path)[]): void {
    this.#beginMark(tag, 1 + parts.length)
    for (const part of parts) {
      if (part instanceof Uint8Array) this.#out.binary(part)
      else this.#write(part)
    }
    this.#endMark()
  }

  /** As many parts as given, the tag among them, have to be written before its end. */
  #beginMark(tag: number, parts: number): void {
    this.#out.map(1)
    this.#out.string(markKey)
    this.#out.array(parts)
    this.#out.number(tag)
    this.#enter(2)
    this.#enter(parts)
  }

  #endMark(): void {
    this.#leave()
    this.#leave()
  }

  /** What the receiver's scan will count, counted as it does (scan.ts). */
  #enter(members: number): void {
    this.#count += members
    if (this.#count > this.#limits.count) throw this.#fault(`more than ${this.#limits.count} values (limits.values)`)
    if (this.#depth >= this.#limits.depth && members > 0) {
      const around = onceAround(this.#whole, this.#trail)
      if (around === undefined) throw this.#fault(`nested deeper than ${this.#limits.depth} (limits.depth)`)
      throw new UsageError(`${pathText(this.#root, around)}: a value that contains itself cannot travel`)
    }
    this.#depth++
  }

  #leave(): void {
    this.#depth--
  }

  #errorParts(error: Error): Record<string, unknown> {
    const { name, message, stack, cause } = error
    const { code } = error as { code?: unknown }
    const parts: Record<string, unknown> = { name: String(name), message: String(message) }
    if (typeof code === 'string' || typeof code === 'number') parts.code = code
    if (error instanceof RpcError) parts.type = error.type
    if (cause !== undefined) parts.cause = cause
    if (this.#outgoing.sendStacks && typeof stack === 'string') parts.stack = stack
    return parts
  }

  /** What cannot be taken, by its path. */
  #named<T>(take: () => T): T {
    try {
      return take()
    } catch (error) {
      if (error instanceof ClosedError) throw new ClosedError(`${this.#path()}: ${error.message}`)
      if (error instanceof UsageError) throw this.#fault(error.message)
      throw error
    }
  }

  #fault(what: string): PillionError {
    return new UsageError(`${this.#path()}: ${what}`)
  }

  #path(): string {
    return pathText(this.#root, this.#trail)
  }
}

const mostIdle = 4
const idle: Encoder[] = []

function bytesOf(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value)
}

function isPlain(value: object, prototype: unknown): boolean {
  return (prototype === Object.prototype || prototype === null) && !(Symbol.asyncIterator in value)
}

/** An async iterable, a generator or another iterator. What is merely iterable is some collection. */
function isIterable(value: object): value is AsyncIterable<unknown> | Iterable<unknown> {
  if (Symbol.asyncIterator in value) return true
  return Symbol.iterator in value && typeof (value as { next?: unknown }).next === 'function'
}

function adviceFor(value: object): string {
  if (typeof (value as { then?: unknown }).then === 'function') return 'a promise cannot travel: await it first'
  const name = (value.constructor as { name?: string } | undefined)?.name ?? inspect(value)
  return `a ${name} cannot travel: pass plain data, or let its class extend RpcTarget to pass it by reference`
}
