/**
 * Descriptors in capnweb's values, which have no place for them: what stands for one on its way through capnweb, and whose
 * it is meanwhile. Knows no stream and no message.
 */
import { ClosedError, UsageError } from '../../errors.js'
import { Descriptor } from '../../stream/index.js'

declare const brand: unique symbol
/** A Descriptor on its way: what `passDescriptor` gives and `takeDescriptor` takes. */
export type PassedDescriptor = Uint8Array & { readonly [brand]: true }

const passed = new WeakMap<object, { readonly descriptor: Descriptor; readonly transfer: boolean }>()
const taken = new WeakSet<Descriptor>()
/** Where none is ever passed, none is looked for. */
let passesDescriptors = false

/**
 * For an argument or a result of capnweb's, anywhere in it. The descriptor stays the caller's, and has to be open when
 * the message is sent: an argument's until the call has returned its promise. With `transfer`, which results need, it is
 * taken over then. Throws ClosedError when it is closed.
 */
export function passDescriptor(
  descriptor: Descriptor,
  options: { readonly transfer?: boolean } = {},
): PassedDescriptor {
  if (!(descriptor instanceof Descriptor)) throw new UsageError('passDescriptor takes a Descriptor')
  if (descriptor.closed) throw new ClosedError('the descriptor is closed, sent or taken')
  const stand = new Uint8Array(0)
  // Where capnweb writes bytes as text, nothing could tell it from bytes.
  Object.defineProperty(stand, 'toBase64', { value: refuseText })
  passed.set(stand, { descriptor, transfer: options.transfer === true })
  passesDescriptors = true
  return stand as PassedDescriptor
}

/**
 * What was passed: the caller's from now on. What nobody takes is closed: an argument when its call has been answered, a
 * result when the session ends. Throws DescriptorLostError where it was lost on the way, or what kept it from being sent;
 * UsageError where the peer passed something else; ClosedError when it is too late.
 */
export function takeDescriptor(value: PassedDescriptor): Descriptor {
  const received: unknown = value
  if (received instanceof Error) throw received
  if (!(received instanceof Descriptor)) throw new UsageError('the peer has passed something else than a descriptor')
  if (received.closed) throw new ClosedError('the descriptor was not taken before its call was over')
  taken.add(received)
  return received
}

function refuseText(): never {
  throw new UsageError('a descriptor cannot travel in text: use structuredTransport, at a level that keeps bytes')
}

/** False: nothing was ever passed in this thread, and nothing has to be looked for. */
export function mayPass(): boolean {
  return passesDescriptors
}

export function isUntaken(descriptor: Descriptor): boolean {
  return !taken.has(descriptor) && !descriptor.closed
}

/** The message with Descriptors where they were passed, or with what keeps one from being sent. It is changed in place. */
export function withDescriptors(node: unknown, transferred: Descriptor[]): unknown {
  if (typeof node !== 'object' || node === null || node instanceof Uint8Array) return node
  if (Array.isArray(node) && node.length === 2 && node[0] === 'bytes') {
    const found = passed.get(node[1] as object)
    if (found === undefined) return node
    if (found.descriptor.closed) return new ClosedError('the descriptor was closed before its message was sent')
    if (found.transfer) transferred.push(found.descriptor)
    return found.descriptor
  }
  const members = node as Record<string, unknown>
  for (const key of Object.keys(members)) members[key] = withDescriptors(members[key], transferred)
  return node
}
