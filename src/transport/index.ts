/**
 * pillion/transport: Unix stream sockets as bytes with descriptor sets, listeners, addresses, peers, and the ownership
 * of descriptors. Knows no frames.
 */
export * from '../errors.js'
export { type Address, formatAddress } from './address.js'
export { adoptConnected, type ConnectOptions, connectUnix, pairUnix } from './connect.js'
export {
  closeDescriptors,
  Descriptor,
  type DescriptorKind,
  type MemfdOptions,
  recallDescriptor,
} from './descriptor.js'
export { type InheritedDescriptor, inheritedDescriptors } from './inherited-descriptors.js'
export { type AcceptHandlers, type AcceptPressure, Listener, type ListenerOptions } from './listener.js'
export { Mailbox, offerDescriptor, takeOffered } from './mailbox.js'
export type { MessagePiece, MessageQueue, OutgoingMessage } from './message-queue.js'
export { type Notification, type NotifyOptions, notify } from './notify.js'
export type { OutgoingQueue } from './outgoing-queue.js'
export { Peer, type PeerSource } from './peer.js'
export { type Pipe, pipe, readFrom, writeTo } from './pipe.js'
export type { DescriptorSet, Received } from './received.js'
export type { SendQueue, SpecialPiece } from './send-queue.js'
export type { Pressure, RefusedGroup, SocketHandlers, SocketStats } from './socket-handlers.js'
export { type SocketKind, socketKind } from './socket-kind.js'
export type { UnixSocketOptions } from './socket-options.js'
export type { SocketType } from './socket-type.js'
export { type SocketOrigin, UnixSocket } from './unix-socket.js'
