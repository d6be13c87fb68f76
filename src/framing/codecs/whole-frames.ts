/**
 * The writer of formats whose payload is the message as it lies on the wire: nothing is added, it is only looked at.
 * Keeps no state, so that one may serve all connections.
 */
import type { FrameWriter } from '../codec.js'

export function wholeFrames(check: NonNullable<FrameWriter['check']>): FrameWriter {
  return { check, prefixLength: () => 0, writePrefix() {} }
}
