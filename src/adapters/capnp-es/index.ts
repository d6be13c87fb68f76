/**
 * pillion/adapters/capnp-es: the RPC of capnp-es over a frame stream by capnp(), with the descriptors that Cap'n Proto attaches
 * to capabilities.
 */
export { attachDescriptor, descriptorOf } from './attached.js'
export { FrameConn } from './frame-conn.js'
export { FrameTransport, type FrameTransportOptions } from './frame-transport.js'
