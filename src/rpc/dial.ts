/**
 * dial: a stub of the main object at an address, whose session ends with it.
 *
 * What the stub holds is dialed-main.ts's, or reconnecting-main.ts's if the session may be replaced.
 */
import { UsageError } from '../errors.js'
import { type ConnectOptions, connect } from '../stream/index.js'
import type { Address } from '../transport/index.js'
import { DialedMain } from './dialed-main.js'
import { type RpcOptions, rpcSettings } from './options.js'
import { ReconnectingMain, type ReconnectOptions, reconnectSettings } from './reconnecting-main.js'
import { internals, RpcSession } from './session.js'
import { stubOf } from './stubs/proxy.js'
import type { RpcStub } from './stubs/types.js'

export interface DialOptions extends ConnectOptions, RpcOptions {
  /** What the server may call on this side, as `main` of RpcSession. With `reconnect`, each session has it in turn. */
  readonly main?: object
  /**
   * The stub survives the loss of its connection: its next call makes a new one. Default false.
   *
   * Everything else that was got over the lost connection is gone: calls under way reject with `disconnected`, and are
   * never made again by themselves; stubs are broken (`onRpcBroken`). The calls that wait for the new connection have not
   * been sent yet.
   */
  readonly reconnect?: boolean | ReconnectOptions
}

/**
 * Connects to what `serve` listens on, and gives a stub of its main object. Disposing of the stub, and of all `dup()`s of
 * it, closes the session: so hold it for as long as anything that was got through it.
 *
 * Rejects as `connect` does. A server that refuses the connection later (by `authorize`, or since its main could not be
 * made) shows by calls that reject with `disconnected`.
 */
export async function dial<Remote = unknown>(address: Address, options: DialOptions = {}): Promise<RpcStub<Remote>> {
  const { main = {}, reconnect = false } = options
  rpcSettings(options) // what can never work is said before anything is opened
  const again = reconnectSettings(reconnect)
  if (again !== undefined && typeof address === 'object' && 'fd' in address) {
    throw new UsageError('a descriptor is connected once: reconnect needs an address')
  }
  const open = async (signal?: AbortSignal): Promise<RpcSession> => {
    const stream = await connect(address, signal === undefined ? options : { ...options, signal })
    try {
      return new RpcSession(stream, main, options)
    } catch (error) {
      stream.destroy()
      throw error
    }
  }
  const session = await open()
  const held =
    again === undefined ? new DialedMain(session) : new ReconnectingMain(session, open, again, options.signal)
  return stubOf(held, session[internals].vat) as unknown as RpcStub<Remote>
}
