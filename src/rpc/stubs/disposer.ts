/**
 * Results are their caller's, with all that is in them: disposing of a result disposes of that.
 */
import type { CompleteValue } from '../machine/complete-value.js'

const nothingToDo = { value: () => {}, configurable: true, writable: true, enumerable: false }

/**
 * The value, with a `[Symbol.dispose]` if it is an object that has none.
 * @param value the part of it that is given out
 */
export function withDisposer(complete: CompleteValue, value: unknown = complete.value): unknown {
  if (typeof value !== 'object' || value === null || Symbol.dispose in value) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  const plain = prototype === Object.prototype || Array.isArray(value)
  if (!complete.owns && !plain) return value
  Object.defineProperty(
    value,
    Symbol.dispose,
    complete.owns ? { ...nothingToDo, value: () => complete.dispose() } : nothingToDo,
  )
  return value
}
