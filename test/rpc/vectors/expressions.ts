/**
 * The values of values.json, which are written as JavaScript: with `capability(0)`, `descriptor(0)` and the like for what
 * stands in a message by its index.
 */
import { runInThisContext } from 'node:vm'
import { BrokenCapability } from '../../../src/rpc/machine/broken-capability.js'
import type { Capability } from '../../../src/rpc/machine/capability.js'
import type { Path } from '../../../src/rpc/machine/messages.js'
import { RpcError } from '../../../src/rpc/rpc-error.js'
import { CapabilityReference, DescriptorReference, PromiseReference } from '../../../src/rpc/values/reference.js'
import { type CapabilityTag, Tag } from '../../../src/rpc/values/tags.js'
import type { Descriptor } from '../../../src/stream/index.js'

/** Any two: what they are does not matter. */
export const capabilities: readonly Capability[] = [0, 1].map(
  (i) => new BrokenCapability(new RpcError('failed', `capability ${i}`)),
)

/** The value of an expression. Borrows the descriptors. */
export function valueFrom(expression: string, descriptors: readonly Descriptor[]): unknown {
  const reference = (tag: CapabilityTag) => (i: number) =>
    new CapabilityReference(tag, capabilities[i] as Capability, i)
  const names = {
    capability: reference(Tag.capability),
    readable: reference(Tag.readable),
    writable: reference(Tag.writable),
    iterable: reference(Tag.iterable),
    promise: (i: number, path: Path) => new PromiseReference(capabilities[i] as Capability, path, i),
    descriptor: (i: number) => new DescriptorReference(descriptors[i]),
  }
  const evaluate = runInThisContext(`(${Object.keys(names).join(', ')}) => (${expression})`) as (
    ...values: unknown[]
  ) => unknown
  return evaluate(...Object.values(names))
}
