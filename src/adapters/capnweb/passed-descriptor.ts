/**
 * Descriptors in capnweb's values, which have no place for them: what stands for one on its way through capnweb, and whose
 * it is meanwhile. Knows no stream and no message.
 */
import { ClosedError, UsageError } from '../../errors.js'
import { Descriptor } from '../../stream/index.js'
import { taken } from '../link/untaken.js'

declare const brand: unique symbol
/** A Descriptor on its way: what `passDescriptor` gives and `takeDescriptor` takes. */
export type PassedDescriptor = Uint8Array & { readonly [brand]: true }

/** What a stand stands for, and whether that is taken over when it is sent. */
export interface Passed {
  readonly descriptor: Descriptor | (() => Descriptor)
  readonly transfer: boolean
}

const passed = new WeakMap<object, Passed>()
/** Where none is ever passed, none is looked for. */
let passesDescriptors = false

/**
 * For an argument or a result of capnweb's, anywhere in it. The descriptor stays the caller's, and has to be open when
 * the message is sent: an argument's until the call has returned its promise. With `transfer` it is taken over then; one
 * that is never sent stays the caller's. Throws ClosedError when it is closed.
 *
 * A function is asked for a descriptor when the message is sent, each time, which is taken over: of a result that is
 * never sent, since nobody waits for it or it cannot be, nothing is ever open. What it throws comes out of the receiver's
 * `takeDescriptor`.
 */
export function passDescriptor(
  descriptor: Descriptor | (() => Descriptor),
  options: { readonly transfer?: boolean } = {},
): PassedDescriptor {
  if (typeof descriptor !== 'function') {
    if (!(descriptor instanceof Descriptor))
      throw new UsageError('passDescriptor takes a Descriptor, or what opens one')
    if (descriptor.closed) throw new ClosedError('the descriptor is closed, sent or taken')
  }
  const stand = new Uint8Array(0)
  // Where capnweb writes bytes as text, nothing could tell it from bytes.
  Object.defineProperty(stand, 'toBase64', { value: refuseText })
  passed.set(stand, { descriptor, transfer: typeof descriptor === 'function' || options.transfer === true })
  passesDescriptors = true
  return stand as PassedDescriptor
}

/**
 * What was passed: the caller's from now on. What nobody takes is closed: an argument when its call is over, and answered
 * if the peer waits for that; a result when the session ends. Throws DescriptorLostError where it was lost on the way, or
 * what kept it from being sent; UsageError where the peer passed something else; ClosedError when it is too late.
 */
export function takeDescriptor(value: PassedDescriptor): Descriptor {
  const received: unknown = value
  if (received instanceof Error) throw received
  if (!(received instanceof Descriptor)) throw new UsageError('the peer has passed something else than a descriptor')
  if (received.closed) throw new ClosedError('the descriptor was not taken before its call was over')
  taken(received)
  return received
}

function refuseText(): never {
  throw new UsageError('a descriptor cannot travel in text: use structuredTransport, at a level that keeps bytes')
}

/** False: nothing was ever passed in this thread, and nothing has to be looked for. */
export function mayPass(): boolean {
  return passesDescriptors
}

/** The message with something else where a descriptor was passed. It is changed in place. */
export function withPassed(node: unknown, instead: (passed: Passed) => unknown): unknown {
  if (typeof node !== 'object' || node === null || node instanceof Uint8Array) return node
  if (Array.isArray(node) && node.length === 2 && node[0] === 'bytes') {
    const found = passed.get(node[1] as object)
    return found === undefined ? node : instead(found)
  }
  const members = node as Record<string, unknown>
  for (const key of Object.keys(members)) members[key] = withPassed(members[key], instead)
  return node
}

/** The descriptor, or what keeps it from being sent. The one that is taken over is added to `transferred`. */
export function descriptorOf({ descriptor, transfer }: Passed, transferred: Descriptor[]): Descriptor | Error {
  try {
    const open = typeof descriptor === 'function' ? descriptor() : descriptor
    if (!(open instanceof Descriptor)) throw new UsageError('the function given to passDescriptor gave no Descriptor')
    if (open.closed) throw new ClosedError('the descriptor was closed before its message was sent')
    if (transfer) transferred.push(open)
    return open
  } catch (error) {
    return error instanceof Error ? error : new UsageError(String(error))
  }
}

/** Nobody waits for it. */
export function dropPassed({ descriptor, transfer }: Passed): null {
  if (transfer && typeof descriptor !== 'function') descriptor.close()
  return null
}
