/**
 * What every public function asks of its arguments, in whichever layer: callers in JavaScript pass anything, and what can
 * never be right is a UsageError before anything is done. Knows no layer; every layer may import it.
 */
import { inspect } from 'node:util'
import { UsageError } from './errors.js'

/** Options that were given, or their default. */
export function checkOptions(options: unknown): void {
  if (typeof options !== 'object' || options === null)
    throw new UsageError(`options are an object, not ${shown(options)}`)
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new UsageError(`${name} is a function, not ${shown(value)}`)
}

/** An object of callbacks: these, and perhaps those. */
export function checkHandlers(handlers: unknown, needed: readonly string[], optional: readonly string[]): void {
  if (typeof handlers !== 'object' || handlers === null) {
    throw new UsageError(`handlers are an object of functions, not ${shown(handlers)}`)
  }
  for (const name of needed) checkFunction(name, Reflect.get(handlers, name))
  for (const name of optional) {
    const handler: unknown = Reflect.get(handlers, name)
    if (handler !== undefined) checkFunction(name, handler)
  }
}

/** undefined: the default. */
export function checkBoolean(name: string, value: unknown): void {
  if (value === undefined || typeof value === 'boolean') return
  throw new UsageError(`${name} is true or false, not ${shown(value)}`)
}

/** undefined: none. */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return
  throw new UsageError(`signal is an AbortSignal, not ${shown(signal)}`)
}

/** What an iterable gives, as a list. What its own code throws is passed on. */
export function listOf<Item>(name: string, items: Iterable<Item>): Item[] {
  if (typeof items?.[Symbol.iterator] === 'function') return [...items]
  throw new UsageError(`${name} are given as an iterable of them, an array as a rule, not ${shown(items)}`)
}

/** For messages: short, and without running code of the value's own, which may throw. */
export function shown(value: unknown): string {
  return inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY, customInspect: false, maxStringLength: 120 })
}
