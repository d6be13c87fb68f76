/**
 * What passes, for whoever watches: node:diagnostics_channel, at no cost while nobody does.
 *
 * `pillion:rpc:called` gets a WatchedCall when a call that was sent to a peer has ended, `pillion:rpc:served` when one that
 * was served here has.
 */
import diagnosticsChannel from 'node:diagnostics_channel'
import { now } from '../event-loop.js'
import type { Peer } from '../transport/index.js'
import type { Outcome } from './machine/answer.js'
import type { CallRequest } from './machine/capability.js'
import type { TraceContext } from './machine/messages.js'
import { RpcError } from './rpc-error.js'

/** A call that has ended, as `pillion:rpc:called` and `pillion:rpc:served` tell of it. */
export interface WatchedCall {
  /** As the caller named it: `files.open`; empty where the object itself was called, a function. */
  readonly method: string
  readonly mode: 'call' | 'get' | 'map'
  /** Who is at the other end, if that is known. */
  readonly peer: Peer | undefined
  /** From its sending, or its arrival, to its end, in milliseconds. */
  readonly duration: number
  /** Of the encoded arguments. */
  readonly bytes: number
  /** In the arguments. */
  readonly descriptors: number
  /**
   * `returned`, `canceled` by the caller, or the type of the error that it ended with. `passedOn`: a tail call, whose results
   * its caller has from elsewhere.
   */
  readonly outcome: 'returned' | 'canceled' | 'passedOn' | RpcError['type']
  readonly trace: TraceContext | undefined
}

/** To be told, once, how a call has ended. */
type Onlooker = (outcome: Outcome | 'canceled' | 'passedOn') => void

const called = diagnosticsChannel.channel('pillion:rpc:called')
const served = diagnosticsChannel.channel('pillion:rpc:served')

/** Undefined while nobody watches. */
export function calledCall(request: CallRequest, peer: Peer | undefined): Onlooker | undefined {
  return called.hasSubscribers ? onlooker(called, request, peer) : undefined
}

/** Undefined while nobody watches. */
export function servedCall(request: CallRequest, peer: Peer | undefined): Onlooker | undefined {
  return served.hasSubscribers ? onlooker(served, request, peer) : undefined
}

function onlooker(channel: diagnosticsChannel.Channel, request: CallRequest, peer: Peer | undefined): Onlooker {
  const { mode, path, params, context } = request
  const started = now()
  const { length: bytes } = params
  const { length: descriptors } = params.descriptors
  return (outcome) => {
    const call: WatchedCall = {
      method: path.join('.'),
      mode,
      peer,
      duration: now() - started,
      bytes,
      descriptors,
      outcome: wordFor(outcome),
      trace: context.trace,
    }
    channel.publish(call)
  }
}

function wordFor(outcome: Outcome | 'canceled' | 'passedOn'): WatchedCall['outcome'] {
  if (typeof outcome === 'string') return outcome
  if (!(outcome instanceof Error)) return 'returned'
  return outcome instanceof RpcError ? outcome.type : 'failed'
}
