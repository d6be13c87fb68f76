/**
 * How formats are sent that announce no count: a set goes with its frame's first byte, and the send ends with the frame.
 * Nothing else would tell a receiver whose it is.
 */
import type { SendRules } from '../codec.js'

export const boundarySending: SendRules = {
  maxDescriptorsPerSend: 253,
  maxBytesPerSend: Number.POSITIVE_INFINITY,
  plainMayFollow: false,
  severalSets: false,
}
