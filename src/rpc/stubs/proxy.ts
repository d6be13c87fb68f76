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
  return proxyOf(Handle.over({ cap }, vat, options))
}

/** The promise of a call. Takes over the reference. */
export function promiseOf(answer: Answer, vat: Vat, options: CallOptions = noOptions): object {
  return proxyOf(Handle.over({ answer }, vat, options))
}

export function proxyOf(handle: Handle): object {
  const target = (() => {}) as Target
  Object.defineProperties(target, { handle: { value: handle, configurable: true }, ...described })
  const proxy = new Proxy(target, traps)
  const { capability } = handle
  if (capability !== undefined) forgotten.register(proxy, handle, handle)
  return proxy
}

/** It is in order: nothing is left for the collector. */
function disposeOf(handle: Handle): void {
  forgotten.unregister(handle)
  handle.dispose()
}

interface Target {
  (): void
  readonly handle: Handle
}

/** What util.inspect looks for: on the target, behind the proxy's back, though it is called with the proxy. */
const described = {
  [inspect.custom]: {
    value(this: { readonly [passable]?: Handle }) {
      const handle = this[passable]
      return `${handle?.thenable === true ? 'RpcPromise' : 'RpcStub'} {${handle?.disposed === true ? ' disposed ' : ''}}`
    },
    configurable: true,
  },
}

const traps: ProxyHandler<Target> = {
  get({ handle }, key) {
    if (typeof key === 'symbol') return ofSymbol(handle, key)
    switch (key) {
      case 'then':
        if (!handle.thenable) return undefined
        return (onFulfilled: never, onRejected: never) => handle.promise().then(onFulfilled, onRejected)
      case 'catch':
        if (handle.thenable) return (onRejected: never) => handle.promise().catch(onRejected)
        break
      case 'finally':
        if (handle.thenable) return (onFinally: never) => handle.promise().finally(onFinally)
        break
      case 'map':
        if (handle.thenable) {
          const standIn = (answer: Answer) => promiseOf(answer, handle.vat)
          return (apply: (element: unknown) => unknown) =>
            promiseOf(recordMap(handle, apply, standIn), handle.vat, handle.options)
        }
        break
      case 'dup':
        return () => proxyOf(handle.dup())
      case 'onRpcBroken':
        return (callback: (error: Error) => void) => handle.onBroken(callback)
    }
    return proxyOf(handle.property(/^(0|[1-9]\d{0,8})$/.test(key) ? Number(key) : key))
  },
  apply({ handle }, _this, args: unknown[]) {
    return promiseOf(handle.call(args), handle.vat, handle.options)
  },
  getPrototypeOf({ handle }) {
    return handle.thenable ? prototypes.promise : prototypes.stub
  },
  has(_target, key) {
    return key === Symbol.dispose || key === passable
  },
  set(_target, key) {
    throw new UsageError(`${String(key)} cannot be set: a stub has no properties of its own`)
  },
  ownKeys: () => [],
  getOwnPropertyDescriptor: () => undefined,
  defineProperty: () => false,
  deleteProperty: () => false,
  preventExtensions: () => false,
  setPrototypeOf: () => false,
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
      'collector runs, the other side has to keep the object.',
  )
})
