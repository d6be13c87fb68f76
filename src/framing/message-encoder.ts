/**
 * MessageEncoder: an outgoing message, where the kernel keeps boundaries: nothing is added to the payload, and one
 * sendmsg takes it all. Borrows payloads, and owns nothing.
 */
import { FrameTooLargeError, TooManyDescriptorsError } from '../errors.js'
import type { FrameLimits } from './limits.js'
import { payloadLength } from './payload.js'

/** What one sendmsg takes (docs/kernel.md fact 6). */
const mostDescriptors = 253

export class MessageEncoder {
  readonly #limits: FrameLimits

  constructor(limits: FrameLimits) {
    this.#limits = limits
  }

  /**
   * The length of a payload, which is found sendable with so many descriptors; it may be empty and bear some. Throws
   * UsageError, FrameTooLargeError, TooManyDescriptorsError. What the kernel has against it, only sending shows.
   */
  check(payload: Uint8Array | readonly Uint8Array[], descriptors: number): number {
    const length = payloadLength(payload)
    const { maxPayload, maxDescriptors } = this.#limits
    if (length > maxPayload) {
      throw new FrameTooLargeError(`a payload of ${length} bytes, the limit is ${maxPayload}`, maxPayload)
    }
    const most = Math.min(maxDescriptors, mostDescriptors)
    if (descriptors > most) {
      throw new TooManyDescriptorsError(`${descriptors} descriptors for one message, the limit is ${most}`, most)
    }
    return length
  }
}
