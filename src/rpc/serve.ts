/**
 * serve: a listening socket whose connections are RPC sessions, each with its main object.
 */
import { inspect } from 'node:util'
import { UsageError } from '../errors.js'
import { type ListenOptions, listen } from '../stream/index.js'
import type { Address } from '../transport/index.js'
import { type RpcOptions, rpcSettings } from './options.js'
import { vatOf } from './realm.js'
import { type MainFactory, RpcServer } from './rpc-server.js'
import { RpcTarget } from './rpc-target.js'
import { holdMain } from './session.js'
import { handleOf } from './stubs/handle.js'

export interface ServeOptions extends ListenOptions, RpcOptions {
  /** Connections at once; one more is refused, with `overloaded`. Default 1,000. */
  readonly maxConnections?: number
}

/**
 * Listens on a Unix socket and begins a session with whoever connects; `authorize` of the options is asked first.
 *
 * @param main what connections are served. An RpcTarget, a stub or a plain object: the same for all, and disposed of when
 * the server is closed and nobody holds it any more; a stub stays the caller's. A function: it is called for each
 * connection with the peer's credentials, and what it returns or promises is that connection's own, disposed of with it
 * (a stub too: return a `dup()`). To serve a function itself, give `new RpcStub(function)`, or have it returned.
 *
 * Rejects as `listen` does; UsageError for options and a main that can never work.
 */
export async function serve(
  address: Address,
  main: object | MainFactory,
  options: ServeOptions = {},
): Promise<RpcServer> {
  const { maxConnections = 1000 } = options
  if (!(typeof maxConnections === 'number' && maxConnections >= 1)) {
    throw new UsageError(`maxConnections is a number from 1 on, not ${inspect(maxConnections)}`)
  }
  const vat = vatOf(rpcSettings(options))
  if (isFactory(main)) {
    return new RpcServer(await listen(address, options), { factory: main }, maxConnections, options)
  }
  const held = holdMain(main, vat)
  try {
    return new RpcServer(await listen(address, options), { main, held }, maxConnections, options)
  } catch (error) {
    held.release()
    throw error
  }
}

function isFactory(main: unknown): main is MainFactory {
  if (typeof main !== 'function' || handleOf(main) !== undefined) return false
  if (main.prototype instanceof RpcTarget) {
    throw new UsageError(`main is the class ${main.name}: give an instance, or (peer) => new ${main.name}()`)
  }
  return true
}
