/**
 * comlink over a pillion stream: an endpoint for `wrap` and `expose`, across processes.
 *
 * What comlink means by its messages is comlink's; of that library only the types are imported, and the program hands in
 * the one that it uses.
 */
import type { Endpoint } from 'comlink'
import type { FrameStream } from '../../stream/index.js'
import type { UntakenOptions } from '../link/untaken.js'
import type { ValueLinkOptions } from '../link/value-link.js'
import { EndpointLink } from './endpoint-link.js'
import { type Comlink, sendProxiesInStream } from './in-stream-port.js'

export type { Comlink } from './in-stream-port.js'

export interface ComlinkOptions extends ValueLinkOptions, UntakenOptions {
  /** Objects passed by `proxy` that the peer has not released; passing one more fails. Default 10,000. */
  readonly maxProxies?: number
}

/** What `wrap` and `expose` take, one of each at most. */
export interface ComlinkEndpoint extends Endpoint {
  /** Sends what was posted, then ends the stream; what is pending is rejected. */
  close(): void
}

/**
 * An endpoint over the stream, which it owns. Nothing is received before it is given to `wrap` or `expose`.
 *
 *     const api = Comlink.wrap<Api>(streamEndpoint(await connect(path), Comlink))
 *
 * Descriptors travel in arguments and results, as deep as any value. An argument's stay the caller's, and the callee's are
 * closed when the call is over unless they were taken; a result's are the caller's from then on. When the stream ends,
 * pending calls are rejected with what ended it, and exposed objects are released.
 *
 * @param comlink the module as it was imported: its transfer handler for proxies is replaced by one that can use the stream,
 *   and does as before elsewhere
 */
export function streamEndpoint(stream: FrameStream, comlink: Comlink, options: ComlinkOptions = {}): ComlinkEndpoint {
  const { maxProxies = 10_000, ...limits } = options
  sendProxiesInStream(comlink)
  return new EndpointLink(stream, comlink, maxProxies, limits).root
}
