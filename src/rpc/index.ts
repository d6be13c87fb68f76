/**
 * pillion/rpc: object capabilities over frame streams, with descriptors as values.
 */
export { type CallContext, callContext } from './call-context.js'
export type { ServedCall } from './diagnostics.js'
export type { TraceContext } from './machine/messages.js'
export { defaultLimits, type RpcLimits, type RpcOptions } from './options.js'
export { RpcError, type RpcErrorOptions, type RpcErrorType } from './rpc-error.js'
export { RpcTarget } from './rpc-target.js'
export { RpcSession } from './session.js'
export type { CallOptions } from './stubs/call-options.js'
export { localTarget, RpcPromise, RpcStub, withOptions } from './stubs/rpc-stub.js'
export type { Received, Sendable } from './stubs/types.js'
export type { FrameReceiver, RpcTransport } from './transport.js'
export { MemoryTransport, type MemoryTransportOptions, type Schedule } from './transports/memory-transport.js'
export { MessagePortTransport } from './transports/message-port-transport.js'
