/**
 * pillion/adapters/grpc-js: a server of @grpc/grpc-js on the connections of a listener of pillion's, who decides whom it lets
 * in, and handlers that know who calls.
 *
 * gRPC speaks HTTP/2 on them, so that nothing of pillion is on the wire, and clients are grpc-js's own, or anybody's.
 */
export { type DrainOptions, GrpcConnections, serveConnections } from './connections.js'
export { withoutDescriptors } from './messages.js'
export { type CallWithPeer, peerOf } from './peers.js'
