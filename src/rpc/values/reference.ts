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

  constructor(tag: CapabilityTag, cap: Capability) {
    this.tag = tag
    this.cap = cap
  }
}

export class PromiseReference {
  readonly cap: Capability
  readonly path: Path

  constructor(cap: Capability, path: Path) {
    this.cap = cap
    this.path = path
  }
}

export class DescriptorReference {
  readonly descriptor: Descriptor

  constructor(descriptor: Descriptor) {
    this.descriptor = descriptor
  }
}
