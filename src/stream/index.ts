/**
 * pillion: message frames over Unix sockets, with the file descriptors that ride on them.
 */
export * from '../errors.js'
export { pillion } from '../framing/codecs/pillion.js'
export type { FrameLimits } from '../framing/index.js'
export {
  type AcceptPressure,
  type Address,
  Descriptor,
  type DescriptorKind,
  type InheritedDescriptor,
  inheritedDescriptors,
  type MemfdOptions,
  type Notification,
  type NotifyOptions,
  notify,
  Peer,
  type Pipe,
  type Pressure,
  pipe,
  readFrom,
  type SocketType,
  writeTo,
} from '../transport/index.js'
export type { Detached } from './detached.js'
export type { Frame } from './frame.js'
export type { BatchOptions, FrameBatch } from './frame-batch.js'
export type { SendOptions } from './frame-sender.js'
export { FrameStream, type StreamEvents } from './frame-stream.js'
export { type AdoptOptions, adopt, type ConnectOptions, connect, pair } from './open.js'
export type { StreamOptions } from './options.js'
export { type ListenOptions, listen, type Server, type ServerEvents } from './server.js'
export type { DirectionStats, StreamStats } from './stream-stats.js'
export type { WaitOptions } from './wait-options.js'
export type { OutgoingFrame } from './web-streams.js'
