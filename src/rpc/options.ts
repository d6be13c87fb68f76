/**
 * RpcOptions: what can be chosen for a session, checked once, with the defaults filled in.
 */
import { UsageError } from '../errors.js'
import type { ConnectionLimits } from './machine/connection.js'
import type { TraceContext } from './machine/messages.js'

/**
 * Bounds on what a peer can make us do. What is met at one end fails the call with an RpcError at its caller, unless it says
 * otherwise.
 */
export interface RpcLimits {
  /**
   * Calls of the peer's that are being served at once; one more is `overloaded`. Default 1,000. A peer that has twice as
   * many questions open, refused ones included, ends the session.
   */
  readonly calls: number
  /**
   * Bytes that the peer's calls hold here: arguments, with what was promised in them, until their call has ended, and
   * results until the peer has finished; a capability counts 256 bytes, a descriptor 16 KiB. While they are so many, a call
   * or result of more than 1 KiB is `overloaded`. Default 64 MiB.
   */
  readonly callBytes: number
  /** Objects of ours that the peer holds; a call or result that would pass one more is `overloaded`. Default 100,000. */
  readonly exports: number
  /**
   * Objects of the peer's that are held here; a call or result that would bring one more is `overloaded`. One that the
   * peer makes known in place of a promise of its own may come on top. Default 100,000.
   */
  readonly imports: number
  /** Calls that wait for one promise; one more is `overloaded`. Default 1,000. */
  readonly waitingCalls: number
  /** Bytes that wait for the peer to read them; over it the session ends. Default 64 MiB. */
  readonly queuedBytes: number
  /**
   * How deep a value may be nested, either way. Default 100. What is deeper is not sent (UsageError, which names its
   * place), and when it is received the call is `failed`.
   */
  readonly depth: number
  /** How many elements, keys and members a value may have, either way, as `depth`. Default 1,000,000. */
  readonly values: number
}

export interface RpcOptions {
  readonly limits?: Partial<RpcLimits>
  /** The stacks of errors that methods throw travel to their callers. Default false: they tell of the inside. */
  readonly sendStacks?: boolean
  /**
   * The W3C trace context that calls made here carry (`callContext().trace` at their callee); asked at each call. What it
   * throws fails the call.
   */
  readonly traceContext?: () => TraceContext | undefined
  /**
   * Bytes of each stream that is received that may be under way, from its source to whoever reads it. Default 1 MiB. A
   * chunk is never divided: one more may come on top.
   */
  readonly windowBytes?: number
  /**
   * Milliseconds without a message after which the peer is asked whether it is there, and twice which the session ends.
   * Default 0: never. A Unix socket tells by itself when its peer has gone; this is for one that hangs, so choose more
   * than a method may take without a turn of its event loop.
   */
  readonly keepAlive?: number
}

export const defaultLimits: RpcLimits = {
  calls: 1000,
  callBytes: 64 * 1024 * 1024,
  exports: 100_000,
  imports: 100_000,
  waitingCalls: 1000,
  queuedBytes: 64 * 1024 * 1024,
  depth: 100,
  values: 1_000_000,
}

const defaultWindow = 1024 * 1024

export interface RpcSettings {
  readonly limits: RpcLimits & ConnectionLimits
  readonly sendStacks: boolean
  readonly traceContext: (() => TraceContext | undefined) | undefined
  readonly keepAlive: number
  readonly windowBytes: number
}

/** Throws UsageError for what can never work. */
export function rpcSettings(options: RpcOptions): RpcSettings {
  const limits = { ...defaultLimits, ...options.limits }
  for (const name of Object.keys(defaultLimits) as (keyof RpcLimits)[]) {
    const value: unknown = limits[name]
    if (typeof value !== 'number' || !(value >= 1)) {
      throw new UsageError(`limits.${name} is a number from 1 on, not ${String(value)}`)
    }
  }
  const { keepAlive = 0, sendStacks = false, traceContext, windowBytes = defaultWindow } = options
  if (typeof keepAlive !== 'number' || !(keepAlive >= 0)) {
    throw new UsageError(`keepAlive is a number of milliseconds, not ${String(keepAlive)}`)
  }
  if (typeof windowBytes !== 'number' || !(windowBytes >= 1)) {
    throw new UsageError(`windowBytes is a number from 1 on, not ${String(windowBytes)}`)
  }
  if (typeof sendStacks !== 'boolean') throw new UsageError(`sendStacks is true or false, not ${String(sendStacks)}`)
  if (traceContext !== undefined && typeof traceContext !== 'function') {
    throw new UsageError('traceContext is a function')
  }
  return { limits, sendStacks, traceContext, keepAlive, windowBytes }
}

/** Milliseconds. Throws UsageError. */
export function checkDrain({ drain = 0 }: { readonly drain?: number }): number {
  if (typeof drain !== 'number' || !(drain >= 0)) {
    throw new UsageError(`drain is a number of milliseconds, not ${String(drain)}`)
  }
  return drain
}
