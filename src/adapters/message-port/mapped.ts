/**
 * A copy of a value in which some objects are others, wherever they are in arrays, plain objects, Maps and Sets. Cycles and
 * shared objects stay what they are. What is no container is not copied.
 */

/**
 * @param replace undefined: it stays
 * @param asIs is told of what is no container
 */
export function mapped(
  value: unknown,
  replace: (object: object) => unknown,
  asIs: (object: object) => void = () => {},
): unknown {
  const copies = new Map<object, unknown>()
  const copyOf = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (copies.has(value)) return copies.get(value)
    const replaced = replace(value)
    const copy = replaced ?? emptyLike(value)
    copies.set(value, copy)
    if (replaced === undefined) {
      if (copy === value) asIs(value)
      else fill(copy, value, copyOf)
    }
    return copy
  }
  return copyOf(value)
}

/** What is in an object, of whatever kind, as far as a clone of it would have it. Of bytes nothing. */
export function itemsOf(object: object): Iterable<unknown> {
  if (object instanceof Map) return [...object].flat()
  if (object instanceof Set) return object
  return ArrayBuffer.isView(object) ? [] : Object.values(object)
}

function emptyLike(value: object): object {
  if (Array.isArray(value)) return new Array(value.length)
  if (value instanceof Map) return new Map()
  if (value instanceof Set) return new Set()
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? {} : value
}

function fill(copy: object, value: object, copyOf: (value: unknown) => unknown): void {
  if (value instanceof Map)
    for (const [key, item] of value) (copy as Map<unknown, unknown>).set(copyOf(key), copyOf(item))
  else if (value instanceof Set) for (const item of value) (copy as Set<unknown>).add(copyOf(item))
  else {
    for (const [key, item] of Object.entries(value)) {
      // Not by assignment, which `__proto__` would make something else of.
      Object.defineProperty(copy, key, { value: copyOf(item), writable: true, enumerable: true, configurable: true })
    }
  }
}
