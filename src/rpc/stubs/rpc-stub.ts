/**
 * What users do with stubs besides calling them: make one of an object of their own, find that object again, and choose
 * how calls are made.
 */
import { UsageError } from '../../errors.js'
import { targetOf } from '../machine/vat.js'
import { defaultVat } from '../realm.js'
import { RpcTarget } from '../rpc-target.js'
import { type CallOptions, checkCallOptions } from './call-options.js'
import { handleOf } from './handle.js'
import { prototypes, proxyOf, stubOf } from './proxy.js'
import type { RpcPromise as RpcPromiseType, RpcStub as RpcStubType } from './types.js'

/** A function rather than a class: what it makes is a proxy. */
function Stub(target: object): unknown {
  if (handleOf(target) !== undefined) return (target as RpcStubType<object>).dup()
  if (!(target instanceof RpcTarget) && typeof target !== 'function') {
    throw new UsageError('a stub is made of an RpcTarget or a function')
  }
  const vat = defaultVat()
  return stubOf(vat.hold(target), vat)
}

class PromiseOfCall {
  constructor() {
    throw new UsageError('an RpcPromise is made by a call')
  }
}

// Of a shape that `instanceof` can tell, with nothing on it that a remote name could be taken for.
prototypes.stub = Stub.prototype
prototypes.promise = PromiseOfCall.prototype

/**
 * `new RpcStub(target)`: a stub of an object of one's own, which holds it until it is disposed of. Passing the stub, or
 * `dup()`s of it, rather than the object itself keeps the object from being disposed of while one is left.
 * `x instanceof RpcStub` tells stubs.
 */
export const RpcStub = Stub as unknown as {
  new <T extends object>(target: T): RpcStubType<T>
  readonly prototype: RpcStubType<unknown>
}
export type RpcStub<T> = RpcStubType<T>

/** `x instanceof RpcPromise` tells what calls give, and properties of stubs. */
export const RpcPromise = PromiseOfCall as unknown as {
  readonly prototype: RpcPromiseType<unknown>
} & (new () => never)
export type RpcPromise<T> = RpcPromiseType<T>

/**
 * The same capability, whose calls carry the options. For a stub or a property of one, and for promises. A stub so
 * made is to be disposed of on its own. Throws UsageError for what is no stub and for options that cannot be.
 */
export function withOptions<T>(stub: T, options: CallOptions): T {
  const handle = handleOf(stub)
  if (handle === undefined) throw new UsageError('withOptions takes a stub')
  checkCallOptions(options)
  return proxyOf(handle.withOptions(options)) as T
}

/** The object that a stub stands for, if it is one of this thread's: so it can be known again when it comes home. */
export function localTarget(stub: unknown): object | undefined {
  const capability = handleOf(stub)?.capability
  return capability === undefined ? undefined : targetOf(capability)
}
