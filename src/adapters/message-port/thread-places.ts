/**
 * The places of descriptors in a value that a port of Node's clones, which knows no Descriptor.
 */
import type { Descriptor } from '../../stream/index.js'
import { mapped } from './mapped.js'

/** A place is an object with this key alone, whose value is the index. */
const placeKey = '\0pillion.descriptor'

export function placeOf(index: number): object {
  return { [placeKey]: index }
}

/** A copy of the value with the descriptors in their places. */
export function withDescriptors(value: unknown, descriptors: readonly Descriptor[]): unknown {
  return mapped(value, (object) => {
    const index: unknown = (object as Record<string, unknown>)[placeKey]
    return typeof index === 'number' ? descriptors[index] : undefined
  })
}
