/** What is sent in formats that announce no count: a set with its frame's first byte, and a send that ends with the frame. */
import type { SendRules } from '../codec.js'

export const boundarySending: SendRules = {
  maxDescriptorsPerSend: 253,
  maxBytesPerSend: Number.POSITIVE_INFINITY,
  plainMayFollow: false,
  severalSets: false,
}
