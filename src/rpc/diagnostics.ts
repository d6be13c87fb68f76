/**
 * What passes, for whoever watches: node:diagnostics_channel, at no cost while nobody does.
 *
 * `pillion:rpc:served` gets a ServedCall when a call that was served here has ended.
 */
import diagnosticsChannel from 'node:diagnostics_channel'
import type { Peer } from '../transport/index.js'
import type { ServedCallContext } from './call-context.js'
import type { Answer } from './machine/answer.js'
import type { CallRequest } from './machine/capability.js'
import { RpcError } from './rpc-error.js'

export interface ServedCall {
  /** As the caller named it: `files.open`. */
  readonly method: string
  readonly mode: 'call' | 'get' | 'map'
  readonly peer: Peer | undefined
  /** From its arrival to its end, in milliseconds. */
  readonly duration: number
  /** Of the encoded arguments. */
  readonly bytes: number
  readonly descriptors: number
  /** `returned`, or the type of the error that it ended with. */
  readonly outcome: 'returned' | RpcError['type']
  readonly trace: ServedCallContext['trace']
}

const served = diagnosticsChannel.channel('pillion:rpc:served')

/** To be told of a call's outcome; undefined while nobody watches. */
export function servedCall(
  request: CallRequest,
  context: ServedCallContext,
): Parameters<Answer['subscribe']>[0] | undefined {
  if (!served.hasSubscribers) return undefined
  const { mode, path, params } = request
  const started = performance.now()
  const { length: bytes } = params.content
  const { length: descriptors } = params.descriptors
  return (outcome) => {
    const call: ServedCall = {
      method: path.join('.'),
      mode,
      peer: context.peer,
      duration: performance.now() - started,
      bytes,
      descriptors,
      outcome: !(outcome instanceof Error) ? 'returned' : outcome instanceof RpcError ? outcome.type : 'failed',
      trace: context.trace,
    }
    served.publish(call)
  }
}
