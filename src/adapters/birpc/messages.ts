/**
 * The outer form of birpc's messages, and what a hostile peer may not ask for: birpc looks at neither.
 */

import { RpcError } from '../../rpc/index.js'
import { errorParts } from '../link/error-parts.js'

export interface Message {
  /** A question, or what it is settled with. */
  readonly t: 'q' | 's'
  /** None: nobody waits for an answer. */
  readonly i?: string
  readonly m?: string
  readonly a?: readonly unknown[]
  readonly r?: unknown
  readonly e?: unknown
}

/**
 * Throws RpcError of origin `remote` for what is no message. An answer has a result or an error and nothing more: a
 * descriptor anywhere else in it would be nobody's.
 */
export function checkedMessage(value: unknown): Message {
  const { t, i, m, a } = (value ?? {}) as Record<string, unknown>
  if (t === 's' && typeof i === 'string' && isAnswer(value as object)) return value as Message
  if (t === 'q' && typeof m === 'string' && Array.isArray(a) && (i === undefined || typeof i === 'string')) {
    return value as Message
  }
  throw new RpcError('failed', 'what came is no message of birpc', { origin: 'remote' })
}

function isAnswer(message: object): boolean {
  if (Object.getPrototypeOf(message) !== Object.prototype || Object.keys(message).length !== 3) return false
  return Object.hasOwn(message, 'r') || Object.hasOwn(message, 'e')
}

/** An answer by an error that cannot travel itself. */
export function failed(i: string, thrown: unknown): Message {
  return { t: 's', i, e: Object.assign(new Error(), errorParts(thrown)) }
}

/** The function that birpc has found by name, unless it comes from a prototype that is the language's own. */
export function ownFunction<F>(this: { readonly $functions: object }, name: string, found: F): F | undefined {
  if (name === 'constructor' || name === 'prototype' || name === '__proto__') return undefined
  for (let at: object | null = this.$functions; at !== null && !foreign.has(at); at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, name)) return typeof found === 'function' ? found : undefined
  }
  return undefined
}

const foreign = new Set<object>([Object.prototype, Function.prototype, Array.prototype])
