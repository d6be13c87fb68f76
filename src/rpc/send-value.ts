/**
 * sendValue: a packed value on a stream, with the ownership of its descriptors in one place.
 */
import type { FrameStream } from '../stream/index.js'
import { type PackOptions, packValue } from './values/packed-value.js'

/**
 * Packs a value and sends it as a frame, for `unpackValue` at the other end. Descriptors in it are duplicated, so that the
 * caller may close its own; with `transfer` they are taken over, also when it throws.
 *
 * False: wait for `drained`. Throws what `packValue` and `FrameStream.send` throw; then nothing is left open.
 */
export function sendValue(stream: FrameStream, value: unknown, options: PackOptions = {}): boolean {
  const { payload, descriptors } = packValue(value, options)
  if (descriptors.length === 0) return stream.send(payload)
  try {
    return stream.send(payload, descriptors, { transfer: true })
  } catch (error) {
    for (const descriptor of descriptors) descriptor.close() // those that were not taken over
    throw error
  }
}
