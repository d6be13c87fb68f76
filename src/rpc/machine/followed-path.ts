/**
 * Where a path leads on an object of ours, and what a peer may reach there: methods and accessors of an RpcTarget's
 * classes, own properties of plain objects and arrays, and nothing that a prototype of the language has.
 */
import { RpcError } from '../rpc-error.js'
import { RpcTarget } from '../rpc-target.js'
import { type Passable, passable } from '../values/passing.js'
import type { Path } from './messages.js'

export interface Followed {
  readonly value: unknown
  /** What the value is a member of, its `this`. */
  readonly owner: unknown
  /** What is left of the path behind a stub, or behind a promise of a value. */
  readonly rest: Path
}

const nothing: Path = Object.freeze([])

/**
 * Follows the path as far as there are objects of ours. Throws RpcError 'unimplemented' where it leads nowhere, and what an
 * accessor throws.
 */
export function followPath(target: object, path: Path): Followed {
  let owner: unknown
  let value: unknown = target
  for (let i = 0; i < path.length; i++) {
    const key = path[i] as string | number
    if (isPassable(value) || isThenable(value)) return { value, owner, rest: path.slice(i) }
    if (!mayReach(value, key)) throw notThere(path.slice(0, i + 1))
    owner = value
    value = (value as Record<string | number, unknown>)[key]
  }
  return { value, owner, rest: nothing }
}

export function isPassable(value: unknown): value is { readonly [passable]: Passable } {
  return typeof value === 'function' && (value as { [passable]?: Passable })[passable] !== undefined
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

function mayReach(value: unknown, key: string | number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (value instanceof RpcTarget) {
    return typeof key === 'string' && !(key in RpcTarget.prototype) && key in value && !Object.hasOwn(value, key)
  }
  if (!Array.isArray(value)) {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return false
  }
  return Object.hasOwn(value, key)
}

function notThere(path: Path): RpcError {
  return new RpcError('unimplemented', `there is no ${path.join('.')}`)
}
