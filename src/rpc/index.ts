/**
 * pillion/rpc: object capabilities over frame streams, with descriptors as values.
 */
export { type Pipe, pipe, readFrom, writeTo } from '../transport/index.js'
export { type CallContext, callContext } from './call-context.js'
export type { WatchedCall } from './diagnostics.js'
export { type DialOptions, dial } from './dial.js'
export type { TraceContext } from './machine/messages.js'
export { defaultLimits, type RpcLimits, type RpcOptions } from './options.js'
export type { ReconnectOptions } from './reconnecting-main.js'
export { RpcError, type RpcErrorOptions, type RpcErrorType } from './rpc-error.js'
export { type MainFactory, RpcServer, type RpcServerEvents } from './rpc-server.js'
export { RpcTarget } from './rpc-target.js'
export { sendValue } from './send-value.js'
export { type ServeOptions, serve } from './serve.js'
export { type CloseOptions, RpcSession } from './session.js'
export type { CallOptions } from './stubs/call-options.js'
export { localTarget, RpcPromise, RpcStub, withOptions } from './stubs/rpc-stub.js'
export type { Received, Returned, Sendable } from './stubs/types.js'
export type { FrameReceiver, RpcTransport } from './transport.js'
export { FrameStreamTransport } from './transports/frame-stream-transport.js'
export { MemoryTransport, type MemoryTransportOptions, type Schedule } from './transports/memory-transport.js'
export { MessagePortTransport } from './transports/message-port-transport.js'
export {
  type PackedValue,
  type PackOptions,
  packValue,
  type UnpackedValue,
  type UnpackOptions,
  unpackValue,
  type ValueOptions,
} from './values/packed-value.js'
