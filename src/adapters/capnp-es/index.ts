/**
 * pillion/adapters/capnp-es: the RPC of capnp-es over a frame stream by capnp(), with the descriptors that Cap'n Proto attaches
 * to capabilities.
 */
export type { FrameTransportOptions } from '../capnp/frame-link.js'
export type { UntakenOptions } from '../link/untaken.js'
export { attachDescriptor, descriptorOf } from './attached.js'
export { FrameConn } from './frame-conn.js'
export { FrameTransport } from './frame-transport.js'
