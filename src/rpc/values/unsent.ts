/**
 * What becomes of a result that cannot be sent.
 */
import { UsageError } from '../../errors.js'
import { Descriptor } from '../../transport/index.js'
import { type Passable, passable } from './passing.js'

/**
 * Stubs, descriptors and streams of a result that cannot be sent: they were the callee's to give away, and nobody else will. What
 * is passed by reference keeps its own.
 */
export function disposeWithin(value: unknown): void {
  const found = new Set<unknown>([value])
  for (const item of found) attempt(() => disposeOf(item, found))
}

function disposeOf(item: unknown, found: Set<unknown>): void {
  const stub = typeof item === 'function' ? (item as { [passable]?: Passable })[passable] : undefined
  if (stub !== undefined) stub.dispose()
  else if (item instanceof Descriptor) item.close()
  else if (item instanceof ReadableStream || item instanceof WritableStream) endUnsent(item)
  else for (const member of membersOf(item)) found.add(member) // the set grows while it is gone through
}

/** Accessors and proxies may throw: that is what has kept the value from being sent, or hidden behind what has. */
function attempt(look: () => void): void {
  try {
    look()
  } catch {
    // The caller is told of the first that went wrong; what cannot be looked at has nothing to be disposed of.
  }
}

function membersOf(value: unknown): Iterable<unknown> {
  if (value instanceof Map) return [...value].flat()
  if (value instanceof Set || Array.isArray(value)) return value
  if (value instanceof Error) return [value.cause]
  if (typeof value !== 'object' || value === null) return []
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? valuesOf(value as Record<string, unknown>) : []
}

function valuesOf(value: Record<string, unknown>): unknown[] {
  const values: unknown[] = []
  for (const key of Object.keys(value)) attempt(() => values.push(value[key]))
  return values
}

function endUnsent(stream: ReadableStream | WritableStream): void {
  const unsent = new UsageError('the value that it was in cannot be sent')
  const ended = stream instanceof ReadableStream ? stream.cancel(unsent) : stream.abort(unsent)
  ended.catch(() => {}) // one that is locked is somebody's
}
