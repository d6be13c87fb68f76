/**
 * The messages of the protocol, as objects: names and meanings are those of rpc.capnp, levels 0 and 1. What they look like
 * on the wire is the Wire's business (wire/wire.ts); what they do, the tables' beside this file.
 *
 * `content` is the encoded value of a payload; where it refers to a capability or a descriptor, it has an index into the
 * payload's `capTable` or into the frame's descriptors.
 */
import type { Descriptor } from '../../transport/index.js'
import type { RpcErrorType } from '../rpc-error.js'

/** Properties and indexes, from a value to something in it. */
export type Path = readonly (string | number)[]

export const noPath: Path = Object.freeze([])

/** What a message may have in a path. */
export const mostPathItems = 256

/** What a call is sent to. */
export interface MessageTarget {
  readonly kind: 'importedCap' | 'promisedAnswer'
  /** An export of the receiver's, or a question of the sender's. */
  readonly id: number
  /** Of a promised answer: where in its results the capability lies. */
  readonly transform: Path
}

export interface CapDescriptor {
  readonly kind: 'none' | 'senderHosted' | 'senderPromise' | 'receiverHosted' | 'receiverAnswer'
  readonly id: number
  readonly transform: Path
}

/** It names something of the receiver's to the receiver. */
export function isReceivers({ kind }: CapDescriptor): boolean {
  return kind === 'receiverHosted' || kind === 'receiverAnswer'
}

/** What the table of a message may have. */
export const mostCaps = 65_536

export interface WirePayload {
  /** Where it was received: valid only while the message is being handled, unless the frame's memory stays as it is. */
  readonly content: Uint8Array
  /** What is behind it, where it is sent from. */
  readonly more?: readonly Uint8Array[]
  /** To be called when both were sent, or copied. */
  readonly onSent?: (() => void) | undefined
  readonly capTable: readonly CapDescriptor[]
}

export interface WireException {
  readonly type: RpcErrorType
  readonly reason: string
  /** What was thrown, encoded as a value without capabilities and descriptors; may be empty. */
  readonly detail: Uint8Array
}

export interface Bootstrap {
  readonly type: 'bootstrap'
  readonly questionId: number
}

/** `call` invokes what the path leads to, `get` asks for its value, `map` runs a recorded function on it. */
export type CallMode = 'call' | 'get' | 'map'

/** W3C Trace Context: the values of its two headers. */
export interface TraceContext {
  readonly traceparent: string
  readonly tracestate?: string
}

export interface Call {
  readonly type: 'call'
  readonly questionId: number
  readonly target: MessageTarget
  readonly mode: CallMode
  /** From the target to the method; empty where the target itself is called. */
  readonly method: Path
  readonly params: WirePayload
  /** The caller will send no call to this question's promised answer. May be set until the message is encoded. */
  noPromisePipelining: boolean
  /**
   * The caller does not want the results. With `noPromisePipelining` the call is one-way: the callee never returns it, the
   * caller never finishes it, and its number means nothing.
   */
  readonly onlyPromisePipeline: boolean
  /** `yourself`: the callee keeps the results, for a `takeFromOtherQuestion`. */
  sendResultsTo: 'caller' | 'yourself'
  /** Milliseconds from now on after which the caller no longer waits; 0: none. */
  readonly deadline: number
  readonly trace: TraceContext | undefined
}

/** Nothing comes back of it, and no Finish follows. */
export function isOneWay({ onlyPromisePipeline, noPromisePipelining }: Call): boolean {
  return onlyPromisePipeline && noPromisePipelining
}

export type ReturnOutcome =
  | { readonly kind: 'results'; readonly payload: WirePayload }
  | { readonly kind: 'exception'; readonly exception: WireException }
  | { readonly kind: 'canceled' }
  | { readonly kind: 'resultsSentElsewhere' }
  | { readonly kind: 'takeFromOtherQuestion'; readonly questionId: number }

export interface Return {
  readonly type: 'return'
  readonly answerId: number
  /** All capabilities of the params are released, each once. */
  readonly releaseParamCaps: boolean
  /** The answer is forgotten already: no Finish is needed. */
  readonly noFinishNeeded: boolean
  readonly outcome: ReturnOutcome
}

export interface Finish {
  readonly type: 'finish'
  readonly questionId: number
  /** All capabilities of the results are released, each once. */
  readonly releaseResultCaps: boolean
}

export interface Resolve {
  readonly type: 'resolve'
  readonly promiseId: number
  readonly resolution:
    | { readonly kind: 'cap'; readonly cap: CapDescriptor }
    | { readonly kind: 'exception'; readonly exception: WireException }
}

export interface Release {
  readonly type: 'release'
  readonly id: number
  readonly referenceCount: number
}

export interface Disembargo {
  readonly type: 'disembargo'
  readonly target: MessageTarget
  readonly context: 'senderLoopback' | 'receiverLoopback'
  readonly embargoId: number
}

export interface Abort {
  readonly type: 'abort'
  readonly exception: WireException
}

/** Echoes a message that the sender of this one does not know. */
export interface Unimplemented {
  readonly type: 'unimplemented'
  readonly message: Uint8Array
}

/** A message of a kind that is not known here, to be echoed. */
export interface Unknown {
  readonly type: 'unknown'
  readonly message: Uint8Array
}

/** Asks whether anybody is there: a kind that nobody implements, and that every peer therefore echoes. */
export interface Ping {
  readonly type: 'ping'
}

export type Message =
  | Bootstrap
  | Call
  | Return
  | Finish
  | Resolve
  | Release
  | Disembargo
  | Abort
  | Unimplemented
  | Unknown
  | Ping

/** A message with the descriptors of its frame, which its receiver owns. */
export interface ReceivedDescriptors {
  readonly descriptors: readonly Descriptor[]
  readonly lost: number
  /** The frame's memory is written no more: what was received in it stays valid. */
  readonly stays: boolean
}

export const noDescriptors: ReceivedDescriptors = Object.freeze({
  descriptors: Object.freeze([]),
  lost: 0,
  stays: false,
})
