/**
 * A message in its parts: the Descriptors in it, and a copy of the value with marks in their places, to be cloned.
 */
import { UsageError } from '../../errors.js'
import { Descriptor } from '../../stream/index.js'
import { itemsOf, mapped } from './mapped.js'

export interface Parted {
  readonly value: unknown
  readonly descriptors: readonly Descriptor[]
}

/**
 * Throws ClosedError for a closed Descriptor in the value; UsageError for one in what is cloned as it is (an instance of a
 * class, an Error), where it would come out as `{}`, and for one that is transferred and not in the value.
 *
 * @param mark what stands for the descriptor of this index
 */
export function parted(value: unknown, transferred: ReadonlySet<unknown>, mark: (index: number) => unknown): Parted {
  const descriptors: Descriptor[] = []
  const seen = new Set<object>()
  const copy = mapped(
    value,
    (object) => {
      if (!(object instanceof Descriptor)) return undefined
      if (object.fd >= 0) descriptors.push(object) // or throws
      return mark(descriptors.length - 1)
    },
    (object) => refuseDescriptors(object, seen),
  )
  for (const item of transferred) {
    if (item instanceof Descriptor && !descriptors.includes(item)) {
      throw new UsageError(`a Descriptor that is transferred has to be in the message, in ${containers}`)
    }
  }
  // Without any it goes as it is: what its instances share with the rest of it is shared still.
  return { value: descriptors.length === 0 ? value : copy, descriptors }
}

const containers = 'plain objects, arrays, Maps or Sets'

/** In an object that is cloned as it is, and in all that it leads to. */
function refuseDescriptors(within: object, seen: Set<object>): void {
  const found: unknown[] = [within] // no recursion: whoever posts a long list of instances may do so
  for (let object = found.pop(); object !== undefined || found.length > 0; object = found.pop()) {
    if (typeof object !== 'object' || object === null || seen.has(object)) continue
    seen.add(object)
    if (object instanceof Descriptor) {
      throw new UsageError(`a Descriptor is in ${nameOf(within)}, where it cannot be posted: only in ${containers}`)
    }
    for (const item of itemsOf(object)) found.push(item)
    if (object instanceof Error) found.push(object.cause, (object as AggregateError).errors)
  }
}

function nameOf(object: object): string {
  const name: unknown = (object as { readonly constructor?: { readonly name?: unknown } }).constructor?.name
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an instance of a class'
}
