/** What two generations of the server say to each other by RPC, and what each process reports to main. Types alone. */
import type { Descriptor } from 'pillion'
import type { RpcStub, RpcTarget } from 'pillion/rpc'

/** What goes with a connection. */
export interface ConnectionState {
  /** Of a frame that was on its way when the connection was detached. */
  readonly unread: Uint8Array
  readonly served: number
}

export interface Predecessor extends RpcTarget {
  /** Hands everything over. If that fails, what could not be handed over is served on as before. */
  handOver(successor: RpcStub<Successor>): Promise<HandedOver>
}

/** Descriptors are lent, as all arguments are: the predecessor has its own still, and closes it when the call has succeeded. */
export interface Successor extends RpcTarget {
  listen(listening: Descriptor): Promise<void>
  adopt(connection: Descriptor, state: ConnectionState): void
}

export interface HandedOver {
  readonly connections: number
  /** Of these, how many in the middle of a frame. */
  readonly inFrame: number
}

export type Report =
  | { readonly report: 'ready'; readonly handedOver?: HandedOver }
  | { readonly report: 'ended'; readonly leaked: readonly string[] }
  | { readonly report: 'progress'; readonly requests: number }
  | { readonly report: 'load'; readonly requests: number; readonly failures: readonly string[]; readonly short: number }
