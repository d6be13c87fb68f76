/**
 * CallContext: what a method that is being called can ask about its call.
 */
import { TimeoutError, UsageError } from '../errors.js'
import type { Peer } from '../transport/index.js'
import { now, startTimer, stopTimer } from './call-clock.js'
import type { TraceContext } from './machine/messages.js'
import type { RpcSession } from './session.js'

export interface CallContext {
  /**
   * Aborted when the caller cancels the call or the connection is lost (its reason is an RpcError `disconnected`), or when
   * its deadline passes (TimeoutError). Not aborted by the end of the call.
   */
  readonly signal: AbortSignal
  /** Who calls, from the kernel. Undefined for a call from this process, or over a transport that does not know. */
  readonly peer: Peer | undefined
  /** Throws UsageError for a call from this process, which came by none. */
  readonly session: RpcSession<unknown>
  /** When the caller stops waiting, by `performance.now()`; undefined: never. */
  readonly deadline: number | undefined
  /** The caller's W3C trace context, if it sent one. */
  readonly trace: TraceContext | undefined
}

/** Milliseconds: a timer for more fires at once. A peer may name any deadline. */
const longestTimer = 0x7fff_ffff

let current: CallContext | undefined

/**
 * The context of the call whose method is running. Ask before the method's first `await`, and keep what it gives: behind
 * an `await` other calls may be running. Throws UsageError outside of a call.
 */
export function callContext(): CallContext {
  if (current !== undefined) return current
  throw new UsageError(
    'callContext() is for methods that are being called, before their first await: keep what it gives',
  )
}

/** Runs a method's synchronous part. */
export function callWith<A extends unknown[], T>(
  context: CallContext,
  method: (...args: A) => T,
  owner: unknown,
  args: A,
): T {
  const outer = current
  current = context
  try {
    return Reflect.apply(method, owner, args)
  } finally {
    current = outer
  }
}

/** What a session tells the calls that come by it. */
export interface ContextSource {
  readonly peer: Peer | undefined
  /** Undefined where a connection is used without one. */
  readonly publicSession: RpcSession<unknown> | undefined
}

/** Made for every call: the signal only when it is asked for. */
export class ServedCallContext implements CallContext {
  readonly trace: TraceContext | undefined
  readonly #deadline: number
  readonly #source: ContextSource | undefined
  #controller: AbortController | undefined
  #timer: NodeJS.Timeout | undefined
  #over: Error | undefined
  #ended = false

  constructor(source: ContextSource | undefined, deadline: number, trace: TraceContext | undefined) {
    this.#source = source
    this.#deadline = deadline
    this.trace = trace
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#over !== undefined) this.#controller.abort(this.#over)
      else if (this.#deadline > 0 && !this.#ended) this.#startTimer()
    }
    return this.#controller.signal
  }

  /** The call came by a session. */
  get remote(): boolean {
    return this.#source !== undefined
  }

  get peer(): Peer | undefined {
    return this.#source?.peer
  }

  get session(): RpcSession<unknown> {
    const session = this.#source?.publicSession
    if (session === undefined) throw new UsageError('a call from this process has come by no session')
    return session
  }

  get deadline(): number | undefined {
    return this.#deadline > 0 ? this.#deadline : undefined
  }

  /** Its caller canceled it, its deadline has passed, or the connection is lost. */
  get canceled(): boolean {
    return this.#over !== undefined
  }

  /** Nobody waits for the call any more. */
  cancel(reason: Error): void {
    this.#over ??= reason
    this.ended()
    this.#controller?.abort(this.#over)
  }

  /** The call has returned. */
  ended(): void {
    this.#ended = true
    if (this.#timer !== undefined) stopTimer(this.#timer)
  }

  #startTimer(): void {
    const left = Math.min(Math.max(0, this.#deadline - now()), longestTimer)
    this.#timer = startTimer(() => {
      // A timer may fire up to a millisecond early; the caller must not find that it could have waited. Or it was for
      // the longest that there is.
      if (now() < this.#deadline) this.#startTimer()
      else this.cancel(new TimeoutError('the deadline of the call has passed'))
    }, left)
    this.#timer.unref()
  }
}
