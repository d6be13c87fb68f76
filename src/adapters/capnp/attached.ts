/**
 * Which descriptor belongs to which capability, and which ones travel with which message. `attachedFd` of a CapDescriptor is
 * an index into the message's own list of descriptors; 255 or past its end: there is none.
 *
 * A capability is here whatever object stands for it: the libraries differ in what that is.
 */
import { DescriptorLostError, UsageError } from '../../errors.js'
import { Descriptor } from '../../stream/index.js'

export const noIndex = 255

const ours = new WeakMap<object, Descriptor>()
const theirs = new WeakMap<object, Descriptor | DescriptorLostError>()

/** The descriptor stays the caller's. */
export function attach(capability: object, descriptor: Descriptor): void {
  if (!(descriptor instanceof Descriptor)) throw new UsageError('what is attached to a capability is a Descriptor')
  ours.set(capability, descriptor)
}

/** What came with it; undefined: nothing. Throws DescriptorLostError where it was lost. */
export function attachedTo(capability: object): Descriptor | undefined {
  const found = theirs.get(capability)
  if (found instanceof DescriptorLostError) throw found
  return found
}

/** The descriptors of a message to be sent, borrowed. */
export class Outgoing {
  readonly descriptors: Descriptor[] = []

  /** The index under which the capability's descriptor goes with the message. Too many, or a closed one: `send` refuses. */
  enlist(capability: object): number {
    const descriptor = ours.get(capability)
    return descriptor === undefined ? noIndex : Math.min(noIndex, this.descriptors.push(descriptor) - 1)
  }
}

/** The descriptors of a message that was received. Owns those that no capability has claimed. */
export class Incoming {
  /** Of a message with which nothing came, nor was anything lost. */
  static readonly none = new Incoming([], 0)
  readonly #descriptors: (Descriptor | undefined)[]
  readonly #lost: number

  /** Takes the descriptors over. */
  constructor(descriptors: readonly Descriptor[], lost: number) {
    this.#descriptors = [...descriptors]
    this.#lost = lost
  }

  /** Gives the capability what came with it; the caller's to close. An index counts once. */
  claim(index: number, capability: object): Descriptor | undefined {
    const known = theirs.get(capability)
    if (index === noIndex || (known instanceof Descriptor && !known.closed)) return undefined // it has come before
    const descriptor = this.#descriptors[index]
    if (descriptor !== undefined) {
      this.#descriptors[index] = undefined
      theirs.set(capability, descriptor)
    } else if (index >= this.#descriptors.length && this.#lost > 0) {
      theirs.set(capability, new DescriptorLostError('the descriptor of a capability was lost'))
    }
    return descriptor
  }

  /** Closes what no capability has claimed. */
  close(): void {
    for (const descriptor of this.#descriptors.splice(0)) descriptor?.close()
  }
}
