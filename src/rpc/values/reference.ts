/**
 * What stands in a decoded value for something that is no data, while nobody has asked for the thing itself: so a value
 * can be looked into, and a part of it be encoded again. Owns nothing: the payload does.
 */
import type { Descriptor } from '../../transport/index.js'
import type { Capability } from '../machine/capability.js'
import type { Path } from '../machine/messages.js'
import type { CapabilityTag } from './tags.js'

export class CapabilityReference {
  readonly tag: CapabilityTag
  readonly cap: Capability
  /** Among those of its payload. */
  readonly index: number

  constructor(tag: CapabilityTag, cap: Capability, index = 0) {
    this.tag = tag
    this.cap = cap
    this.index = index
  }
}

export class PromiseReference {
  readonly cap: Capability
  readonly path: Path
  /** Among the capabilities of its payload. */
  readonly index: number

  constructor(cap: Capability, path: Path, index: number) {
    this.cap = cap
    this.path = path
    this.index = index
  }
}

export class DescriptorReference {
  /** Undefined: the payload has passed it on already. */
  readonly descriptor: Descriptor | undefined

  constructor(descriptor: Descriptor | undefined) {
    this.descriptor = descriptor
  }
}
