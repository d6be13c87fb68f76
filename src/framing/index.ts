/**
 * pillion/framing: wire formats and the pairing of frames with their descriptors, without a socket: bytes and tagged sets
 * in, frames out, and back.
 */
export * from '../errors.js'
export type { BearingFrame } from './bearing-frame.js'
export type { Codec, FrameReader, FrameWriter, SendRules } from './codec.js'
export { memfdFlag, memfdLength, pillion } from './codecs/pillion.js'
export type { DescriptorSet } from './descriptor-set.js'
export { FrameDecoder, type FrameDecoderOptions } from './frame-decoder.js'
export { FrameEncoder, type OutgoingContent, type OutgoingPiece } from './frame-encoder.js'
export { FrameTable } from './frame-table.js'
export { type FrameLimits, frameLimits } from './limits.js'
