/**
 * What `send` was given as descriptors: the numbers of those that are borrowed, and those that change owner.
 */
import { shown } from '../arguments.js'
import { UsageError } from '../errors.js'
import { recallDescriptor, surrender } from '../transport/descriptor.js'
import { Descriptor } from '../transport/index.js'

/** Whether all of them can be lent for as long as a frame waits: nobody tells when the owner of a number closes it. */
export function areDescriptors(given: readonly (Descriptor | number)[]): given is readonly Descriptor[] {
  for (const descriptor of given) if (typeof descriptor === 'number') return false
  return given.length > 0
}

/**
 * Before they are taken over: what other frames wait with is theirs to the end. May send what has gathered, on any socket, and
 * so run listeners. Throws as `recallDescriptor` does.
 */
export function recallAll(given: readonly (Descriptor | number)[]): void {
  for (const descriptor of given) if (descriptor instanceof Descriptor) recallDescriptor(descriptor)
}

/** Throws UsageError for what is no descriptor, ClosedError for one that is closed. */
export function numberOf(descriptor: Descriptor | number): number {
  if (descriptor instanceof Descriptor) return descriptor.fd
  if (Number.isInteger(descriptor) && descriptor >= 0 && descriptor <= 0x7fff_ffff) return descriptor
  throw new UsageError(`a descriptor is a Descriptor or a number from 0 on, not ${shown(descriptor)}`)
}

/** The numbers, owned by the ledger from now on. When this throws, all of them are the caller's still. */
export function takeOver(given: readonly (Descriptor | number)[]): number[] {
  if (new Set(given).size < given.length) {
    throw new UsageError('a descriptor is in the list twice, and can be taken over once')
  }
  const made: Descriptor[] = []
  try {
    for (const number of given) if (typeof number === 'number') made.push(Descriptor.own(number))
  } catch (error) {
    for (const owner of made) owner.take()
    throw error
  }
  return given.map((descriptor) => surrender(descriptor instanceof Descriptor ? descriptor : made.shift()!))
}
