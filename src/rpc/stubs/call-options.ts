/**
 * CallOptions: for how long a call is waited for, and what cancels it.
 */
import { TimeoutError, UsageError } from '../../errors.js'
import { queueMicrotask } from '../../event-loop.js'
import { now, startTimer, stopTimer } from '../call-clock.js'
import { Answer } from '../machine/answer.js'
import type { CallRequest } from '../machine/capability.js'
import { asError } from '../rpc-error.js'

export interface CallOptions {
  /** Cancels calls: they reject with its reason, and the callee's `signal` is aborted. */
  readonly signal?: AbortSignal
  /**
   * Milliseconds after which a call is canceled and rejects with TimeoutError. The callee is told of the deadline. What
   * no timer can wait for (over 24 days, Infinity) is no bound.
   */
  readonly timeout?: number
}

export const noOptions: CallOptions = Object.freeze({})

/** Throws UsageError for what can never work. */
export function checkCallOptions({ signal, timeout }: CallOptions): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new UsageError('signal is an AbortSignal')
  if (timeout !== undefined && !(typeof timeout === 'number' && timeout > 0)) {
    throw new UsageError(`timeout is a number of milliseconds over 0, not ${String(timeout)}`)
  }
}

/** What a timer can wait for. */
export function isBounded(timeout: number | undefined): timeout is number {
  return timeout !== undefined && timeout <= 0x7fff_ffff
}

/**
 * The answer within the options' limits. Takes over the reference.
 * @param deadline when the timeout is over, by `performance.now()`, as the callee is told
 */
export function limitedAnswer(answer: Answer, { signal, timeout }: CallOptions, deadline: number): Answer {
  if ((signal === undefined && !isBounded(timeout)) || answer.outcome !== undefined) return answer
  return new LimitedAnswer(answer, signal, timeout, deadline)
}

class LimitedAnswer extends Answer {
  readonly #inner: Answer
  readonly #signal: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout | undefined
  readonly #onAbort = (): void => this.#giveUp(asError(this.#signal?.reason))

  constructor(inner: Answer, signal: AbortSignal | undefined, timeout: number | undefined, deadline: number) {
    super()
    this.#inner = inner
    this.#signal = signal
    if (signal?.aborted === true) queueMicrotask(this.#onAbort)
    else signal?.addEventListener('abort', this.#onAbort, { once: true })
    const timeUp = (): void => this.#giveUp(new TimeoutError(`the call has not returned within ${timeout} ms`))
    if (isBounded(timeout)) this.#timer = startTimer(timeUp, timeout)
    inner.subscribe((outcome) => {
      this.#stopWaiting()
      // What comes too late is late, also where it overtakes the timer: the callee's own may have brought it about.
      if (isBounded(timeout) && now() >= deadline) timeUp()
      else if (this.outcome === undefined) this.settle(outcome)
    })
  }

  override get source(): Answer {
    return this.outcome === undefined ? this.#inner.source : this
  }

  protected override callPromised(request: CallRequest): Answer {
    return this.#inner.call(request)
  }

  protected override canceled(): void {
    this.#stopWaiting()
    super.canceled()
    this.#inner.release()
  }

  #giveUp(error: Error): void {
    this.#stopWaiting()
    if (this.outcome !== undefined) return
    this.settle(error)
    this.#inner.release()
  }

  #stopWaiting(): void {
    stopTimer(this.#timer)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }
}
