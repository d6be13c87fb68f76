/**
 * The errors that all codecs have in common, in the same words. They are the peer's fault; what is refused to send is
 * each codec's own to say.
 */
import { FrameTooLargeError, TooManyDescriptorsError } from '../errors.js'

/** The peer announces a longer payload than it may, or has sent it already. */
export function tooLarge(length: number, limit: number, position: number): FrameTooLargeError {
  return new FrameTooLargeError(`a frame announces ${length} bytes of payload, the limit is ${limit}`, limit, position)
}

/** The peer has sent more than that without an end of the frame. */
export function endless(limit: number, position: number): FrameTooLargeError {
  return new FrameTooLargeError(`a frame does not end within ${limit} bytes of payload, the limit`, limit, position)
}

/** The peer announces more descriptors than it may. */
export function tooMany(count: number, limit: number, position: number): TooManyDescriptorsError {
  return new TooManyDescriptorsError(`a frame announces ${count} descriptors, the limit is ${limit}`, limit, position)
}
