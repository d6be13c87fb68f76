/**
 * The proxies that stubs and promises are: property access makes a property, a call makes a call, and a few names are
 * their own.
 */
import { inspect } from 'node:util'
import { UsageError } from '../../errors.js'
import { warnOnce } from '../../transport/warn-once.js'
import type { Answer } from '../machine/answer.js'
import type { Capability } from '../machine/capability.js'
import type { Vat } from '../machine/vat.js'
import { passable } from '../values/passing.js'
import { type CallOptions, noOptions } from './call-options.js'
import { Handle } from './handle.js'
import { recordMap } from './map-recorder.js'
import { recording } from './recording.js'

/** The classes that `instanceof` knows them by. */
export const prototypes: { stub: object; promise: object } = { stub: {}, promise: {} }

/** A stub of a capability. Takes over the reference. */
export function stubOf(cap: Capability, vat: Vat, options: CallOptions = noOptions): object {
  return proxyOf(Handle.ofCapability(cap, vat, options))
}

/** The promise of a call. Takes over the reference. */
export function promiseOf(answer: Answer, vat: Vat, options: CallOptions = noOptions): object {
  return proxyOf(Handle.ofAnswer(answer, vat, options))
}

export function proxyOf(handle: Handle): object {
  const proxy = new Proxy(target, new Traps(handle))
  if (!handle.thenable) forgotten.register(proxy, handle, handle)
  return proxy
}

/** It is in order: nothing is left for the collector. */
function disposeOf(handle: Handle): void {
  forgotten.unregister(handle)
  handle.dispose()
}

/** The names of a stub that are kept: methods are called again and again. */
const mostMembers = 64

/** A proxy's handler, made for each: the target is the same for all, since it has nothing of its own. */
class Traps implements ProxyHandler<() => void> {
  readonly handle: Handle
  /** Of its own: traps that are called for each call are found quickest here. */
  readonly get = getMember
  readonly apply = callHandle
  /** Of a stub: its members, by their names. */
  members: Map<string, object> | undefined

  constructor(handle: Handle) {
    this.handle = handle
  }

  getPrototypeOf(): object {
    return this.handle.thenable ? prototypes.promise : prototypes.stub
  }

  has(_target: unknown, key: string | symbol): boolean {
    return key === Symbol.dispose || key === passable
  }

  set(_target: unknown, key: string | symbol): never {
    throw new UsageError(`${String(key)} cannot be set: a stub has no properties of its own`)
  }

  ownKeys(): never[] {
    return []
  }

  getOwnPropertyDescriptor(): undefined {
    return undefined
  }

  defineProperty(): false {
    return false
  }

  deleteProperty(): false {
    return false
  }

  preventExtensions(): false {
    return false
  }

  setPrototypeOf(): false {
    return false
  }
}

/** What util.inspect looks for is on the target, behind the proxy's back, though it is called with the proxy. */
const target = Object.defineProperty(() => {}, inspect.custom, {
  value(this: { readonly [passable]?: Handle }) {
    const handle = this[passable]
    return `${handle?.thenable === true ? 'RpcPromise' : 'RpcStub'} {${handle?.disposed === true ? ' disposed ' : ''}}`
  },
  configurable: true,
})

function callHandle(this: Traps, _target: unknown, _this: unknown, args: unknown[]): object {
  const { handle } = this
  return promiseOf(handle.call(args), handle.vat, handle.options)
}

function getMember(this: Traps, _target: unknown, key: string | symbol): unknown {
  const { handle } = this
  if (typeof key === 'symbol') return ofSymbol(handle, key)
  const own = ownMember(handle, key)
  if (own !== notOwn) return own
  if (handle.thenable) return memberOf(handle, key)
  let member = this.members?.get(key)
  if (member === undefined) {
    member = memberOf(handle, key)
    this.members ??= new Map()
    if (this.members.size < mostMembers) this.members.set(key, member)
  }
  return member
}

function memberOf(handle: Handle, key: string): object {
  return proxyOf(handle.property(indexOf(key) ?? key))
}

/** As a number, if it is written as an index is. */
function indexOf(key: string): number | undefined {
  const first = key.charCodeAt(0)
  return first >= 0x30 && first <= 0x39 && /^(0|[1-9]\d{0,8})$/.test(key) ? Number(key) : undefined
}

const notOwn = Symbol('not its own')

/** What a stub or promise can do itself. Each function is made by one of its own: it would cost something here, unasked. */
function ownMember(handle: Handle, key: string): unknown {
  switch (key) {
    case 'then':
      return handle.thenable ? thenOf(handle) : undefined
    case 'catch':
      return handle.thenable ? catchOf(handle) : notOwn
    case 'finally':
      return handle.thenable ? finallyOf(handle) : notOwn
    case 'map':
      return handle.thenable ? mapOf(handle) : notOwn
    case 'dup':
      return dupOf(handle)
    case 'onRpcBroken':
      return onBrokenOf(handle)
    default:
      return notOwn
  }
}

function thenOf(handle: Handle): unknown {
  return (onFulfilled: never, onRejected: never) => handle.promise().then(onFulfilled, onRejected)
}

function catchOf(handle: Handle): unknown {
  return (onRejected: never) => handle.promise().catch(onRejected)
}

function finallyOf(handle: Handle): unknown {
  return (onFinally: never) => handle.promise().finally(onFinally)
}

function dupOf(handle: Handle): unknown {
  return () => proxyOf(handle.dup())
}

function onBrokenOf(handle: Handle): unknown {
  return (callback: (error: Error) => void) => handle.onBroken(callback)
}

function mapOf(handle: Handle): unknown {
  const standIn = (answer: Answer) => promiseOf(answer, handle.vat)
  return (apply: (element: unknown) => unknown) =>
    promiseOf(recordMap(handle, apply, standIn), handle.vat, handle.options)
}

function ofSymbol(handle: Handle, key: symbol): unknown {
  switch (key) {
    case passable:
      return handle
    case Symbol.dispose:
      return () => disposeOf(handle)
    case Symbol.toStringTag:
      return handle.thenable ? 'RpcPromise' : 'RpcStub'
    case Symbol.toPrimitive:
      if (recording() !== undefined) {
        throw new UsageError('the function given to map is recorded, not run: it cannot look at its element')
      }
      return () => `[${handle.thenable ? 'RpcPromise' : 'RpcStub'}]`
    default:
      return undefined
  }
}

const forgotten = new FinalizationRegistry<Handle>((handle) => {
  if (handle.disposed) return // by a method that returned it
  handle.dispose()
  if (process.env.NODE_ENV === 'production') return
  warnOnce(
    'PILLION_FORGOTTEN_STUB',
    'a stub was forgotten; the garbage collector had to release it',
    'Dispose of every stub and of every result that has some in it: `using`, or [Symbol.dispose](). Until the ' +
      'collector runs, the other side has to keep the object. A stub that dial() gave has closed its session: keep ' +
      'it for as long as anything that was got through it, or use an RpcSession.',
  )
})
