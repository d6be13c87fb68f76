/**
 * pillion/framing: wire formats and the pairing of frames with their descriptors, without a socket: bytes and tagged sets
 * in, frames out, and back.
 */
export * from '../errors.js'
export type { BearingFrame } from './bearing-frame.js'
export {
  type Codec,
  type CodecConnection,
  type FrameReader,
  type FrameWriter,
  type SendRules,
  sendRules,
  wantsReceives,
} from './codec.js'
export { capnp, capnpMessage, capnpSegments } from './codecs/capnp.js'
export { contentLength } from './codecs/content-length.js'
export { type DbusOptions, dbus } from './codecs/dbus.js'
export { delimited, varlink } from './codecs/delimited.js'
export { type LengthPrefixedOptions, lengthPrefixed } from './codecs/length-prefixed.js'
export { memfdFlag, memfdLength, pillion } from './codecs/pillion.js'
export { raw } from './codecs/raw.js'
export { type WaylandCount, wayland } from './codecs/wayland.js'
export type { DescriptorSet } from './descriptor-set.js'
export { FrameDecoder, type FrameDecoderOptions } from './frame-decoder.js'
export { FrameEncoder, type OutgoingContent, type OutgoingPiece } from './frame-encoder.js'
export { FrameTable } from './frame-table.js'
export { type FrameLimits, frameLimits, type LimitOptions } from './limits.js'
