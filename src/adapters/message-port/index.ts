/**
 * pillion/adapters/message-port: MessagePorts whose messages have descriptors in them: to another process over a frame
 * stream, and to another thread of this process over a MessagePort of Node's, without a duplicate.
 */
export { FramePort } from './frame-port.js'
export type { PortEventMap } from './port-events.js'
export { ThreadPort } from './thread-port.js'
