/**
 * Where descriptors stand in a message: JSON writes `{}` of one, or nothing, without a word. Knows no stream.
 */
import { Descriptor } from '../../stream/index.js'

export interface Found {
  readonly path: string
  readonly descriptor: Descriptor
}

interface Place {
  readonly path: string
  readonly key: string
  readonly value: unknown
  /** JSON.stringify has been here, so that accessors and toJSON of what is here come to an end. */
  readonly written: boolean
}

/**
 * All of them, in order: also in what a `toJSON` gives, and in a Map or a Set, of which JSON writes nothing.
 *
 * @param written JSON.stringify has gone through the message; where it failed, accessors and `toJSON` are let be
 */
export function findDescriptors(message: object, written: boolean): Found[] {
  const found: Found[] = []
  const seen = new Set<object>()
  const places: Place[] = [{ path: '', key: '', value: message, written }] // no recursion: the engine's goes deeper than ours could
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    const { path } = place
    const value = place.written ? asWritten(place) : place.value
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || seen.has(value)) continue
    seen.add(value)
    if (value instanceof Descriptor) found.push({ path, descriptor: value })
    const inside = place.written && !isCollection(value)
    for (const [key, member] of membersOf(value, inside).reverse()) {
      places.push({ path: path === '' ? key : `${path}.${key}`, key, value: member, written: inside })
    }
  }
  return found
}

function asWritten({ value, key }: Place): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  return 'toJSON' in value && typeof value.toJSON === 'function' ? value.toJSON(key) : value
}

function membersOf(value: object, written: boolean): (readonly [key: string, member: unknown])[] {
  if (isCollection(value)) return [...value].map((member, i) => [String(i), member])
  if (written) return Object.entries(value)
  return Object.entries(Object.getOwnPropertyDescriptors(value)).map(([key, { value: member }]) => [key, member])
}

function isCollection(value: object): value is Map<unknown, unknown> | Set<unknown> {
  return value instanceof Map || value instanceof Set
}
