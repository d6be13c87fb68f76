/**
 * Encoding: from a JavaScript value to a Payload. What MessagePack has no word for is replaced by marked maps (tags.ts)
 * on the way; what needs no replacing is not copied.
 *
 * Lent (arguments): stubs and descriptors stay the caller's, references and duplicates travel. Moved (results): they are
 * the payload's from now on. When encoding throws, lent ones are still the caller's, moved ones are closed.
 */
import { inspect } from 'node:util'
import { ClosedError, type PillionError, UsageError } from '../../errors.js'
import { adoptOwned, surrender } from '../../transport/descriptor.js'
import { Descriptor } from '../../transport/index.js'
import type { Capability } from '../machine/capability.js'
import { Payload } from '../machine/payload.js'
import { RpcError } from '../rpc-error.js'
import { RpcTarget } from '../rpc-target.js'
import type { ValueLimits } from './limits.js'
import { type Outgoing, type Passable, passable } from './passing.js'
import { CapabilityReference, DescriptorReference, PromiseReference } from './reference.js'
import { binaryKinds, markKey, Tag } from './tags.js'
import { pack } from './value-codec.js'

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
  if (isPlainScalar(value)) return new Payload(pack(value))
  return new Encoder(root, ownership, outgoing, limits).encode(value)
}

function isPlainScalar(value: unknown): boolean {
  const type = typeof value
  return type === 'string' || type === 'boolean' || value === null || (type === 'number' && value !== 0)
}

class Encoder {
  readonly #root: string
  readonly #moved: boolean
  readonly #outgoing: Outgoing
  readonly #limits: ValueLimits
  readonly #caps: Capability[] = []
  readonly #descriptors: Descriptor[] = []
  readonly #consumed: Passable[] = []
  /** The keys that lead to what is being looked at, and the objects on the way. */
  readonly #trail: (string | number)[] = []
  readonly #ancestors: object[] = []
  #count = 0

  constructor(root: string, ownership: Ownership, outgoing: Outgoing, limits: ValueLimits) {
    this.#root = root
    this.#moved = ownership === 'moved'
    this.#outgoing = outgoing
    this.#limits = limits
  }

  encode(value: unknown): Payload {
    try {
      const content = pack(this.#prepare(value))
      for (const stub of this.#consumed) stub.dispose()
      return new Payload(content, this.#caps, this.#descriptors)
    } catch (error) {
      for (const cap of this.#caps) cap.release()
      for (const descriptor of this.#descriptors) descriptor.close()
      if (this.#moved) closeWithin(value)
      throw error instanceof RangeError ? this.#fault(error.message) : error
    }
  }

  /** The value as MessagePack can say it. */
  #prepare(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value
      case 'number':
        return value === 0 && Object.is(value, -0) ? mark(Tag.negativeZero) : value
      case 'undefined':
        return mark(Tag.undefined)
      case 'bigint':
        return mark(Tag.bigint, value.toString(16))
      case 'function':
        return this.#reference(value)
      case 'symbol':
        throw this.#fault('a symbol cannot travel')
      default:
        return value === null ? null : this.#object(value as object)
    }
  }

  #object(value: object): unknown {
    if (Array.isArray(value)) return this.#within(value, () => this.#array(value))
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) {
      return this.#within(value, () => this.#plain(value as Record<string, unknown>))
    }
    if (value instanceof Uint8Array) return bytesOf(value)
    if (value instanceof RpcTarget) return this.#reference(value)
    if (value instanceof Descriptor) return this.#descriptor(value)
    return this.#special(value)
  }

  /** Depth and cycles: what is inside `value` is prepared while it is an ancestor. */
  #within<T>(value: object, prepare: () => T): T {
    if (this.#ancestors.length >= this.#limits.depth) {
      throw this.#fault(
        this.#ancestors.includes(value)
          ? 'a value that contains itself cannot travel'
          : `nested deeper than ${this.#limits.depth} (limits.depth)`,
      )
    }
    this.#ancestors.push(value)
    const prepared = prepare()
    this.#ancestors.pop()
    return prepared
  }

  #array(value: readonly unknown[]): readonly unknown[] {
    this.#counted(value.length)
    let copy: unknown[] | undefined
    for (let i = 0; i < value.length; i++) {
      const element = value[i]
      if (typeof element === 'string') {
        if (copy !== undefined) copy.push(element)
        continue
      }
      this.#trail.push(i)
      const prepared = this.#prepare(element)
      this.#trail.pop()
      if (copy === undefined && !same(prepared, element)) copy = value.slice(0, i)
      if (copy !== undefined) copy.push(prepared)
    }
    return copy ?? value
  }

  #plain(value: Record<string, unknown>): Record<string, unknown> {
    const keys = Object.keys(value)
    this.#counted(keys.length * 2)
    let copy: Record<string, unknown> | undefined
    for (const key of keys) {
      if (key === '__proto__') throw this.#fault('an object with a key __proto__ cannot travel: use a Map')
      const member = value[key]
      if (typeof member === 'function' && key === 'then') {
        throw this.#fault('an object with a method `then` would be taken for a promise')
      }
      this.#trail.push(key)
      const prepared = this.#prepare(member)
      this.#trail.pop()
      if (copy === undefined && !same(prepared, member)) copy = { ...value }
      if (copy !== undefined) copy[key] = prepared
    }
    const prepared = copy ?? value
    return markKey in prepared ? mark(Tag.literal, prepared) : prepared
  }

  #special(value: object): unknown {
    if (value instanceof Date) return mark(Tag.date, value.getTime())
    if (value instanceof Map) return this.#within(value, () => mark(Tag.map, this.#array([...value].flat())))
    if (value instanceof Set) return this.#within(value, () => mark(Tag.set, this.#array([...value])))
    if (value instanceof Error) return this.#within(value, () => mark(Tag.error, this.#plain(this.#errorParts(value))))
    if (value instanceof RegExp) return mark(Tag.regexp, value.source, value.flags)
    if (value instanceof URL) return mark(Tag.url, value.href)
    const kind = binaryKinds.findIndex((type) => value instanceof type)
    if (kind >= 0) return mark(Tag.binary, kind, bytesOf(value as ArrayBuffer | ArrayBufferView))
    if (value instanceof ReadableStream) return this.#target(Tag.readable, this.#outgoing.readableSource(value))
    if (value instanceof WritableStream) return this.#target(Tag.writable, this.#outgoing.writableSink(value))
    if (value instanceof CapabilityReference) return this.#cap(value.tag, value.cap.addRef())
    if (value instanceof DescriptorReference) return this.#add(value.descriptor.dup())
    if (value instanceof PromiseReference) return this.#cap(Tag.promise, value.cap.addRef(), value.path)
    if (Symbol.asyncIterator in value) {
      return this.#target(Tag.iterable, this.#outgoing.iterableSource(value as AsyncIterable<unknown>))
    }
    throw this.#fault(adviceFor(value))
  }

  #reference(value: object): unknown {
    const stub = (value as { [passable]?: Passable })[passable]
    if (stub === undefined) return this.#target(Tag.capability, value as RpcTarget)
    const { cap, path } = this.#closedNamed(() => stub.pass())
    if (this.#moved) this.#consumed.push(stub)
    return path === undefined ? this.#cap(Tag.capability, cap) : this.#cap(Tag.promise, cap, path)
  }

  #target(tag: number, target: RpcTarget): unknown {
    return this.#cap(tag, this.#outgoing.hold(target))
  }

  #cap(tag: number, cap: Capability, ...more: unknown[]): unknown {
    this.#caps.push(cap)
    return mark(tag, this.#caps.length - 1, ...more)
  }

  #descriptor(descriptor: Descriptor): unknown {
    return this.#add(this.#closedNamed(() => (this.#moved ? adoptOwned(surrender(descriptor)) : descriptor.dup())))
  }

  #add(descriptor: Descriptor): unknown {
    this.#descriptors.push(descriptor)
    return mark(Tag.descriptor, this.#descriptors.length - 1)
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

  #counted(values: number): void {
    this.#count += values
    if (this.#count > this.#limits.count) throw this.#fault(`more than ${this.#limits.count} values (limits.values)`)
  }

  #closedNamed<T>(take: () => T): T {
    try {
      return take()
    } catch (error) {
      if (error instanceof ClosedError) throw new ClosedError(`${this.#path()}: ${error.message}`)
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

/** As one would write it: `args[0].handler.socket`. */
export function pathText(root: string, trail: readonly (string | number)[]): string {
  let text = root
  for (const key of trail) {
    if (typeof key === 'number') text += `[${key}]`
    else text += /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
  }
  return text
}

function mark(tag: number, ...parts: unknown[]): Record<string, unknown> {
  return { [markKey]: [tag, ...parts] }
}

function same(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'number' && typeof b === 'number')
}

function bytesOf(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value)
}

function adviceFor(value: object): string {
  if (typeof (value as { then?: unknown }).then === 'function') return 'a promise cannot travel: await it first'
  const name = (value.constructor as { name?: string } | undefined)?.name ?? inspect(value)
  return `a ${name} cannot travel: pass plain data, or let its class extend RpcTarget to pass it by reference`
}

/** Descriptors of a result that cannot be sent: they were the callee's to give away, and nobody else will close them. */
function closeWithin(value: unknown, seen = new Set<unknown>()): void {
  if (value instanceof Descriptor) value.close()
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array || seen.has(value)) return
  seen.add(value)
  const members = value instanceof Map ? [...value].flat() : value instanceof Set ? value : Object.values(value)
  for (const member of members) closeWithin(member, seen)
}
