/**
 * Answer: what becomes of a call: first promised, then results or an error. Calls can be made on what is promised.
 *
 * Counted by its holders, like a Capability: when the last one lets go of it before it is done, the call is canceled, and
 * the answer is done as well: whoever subscribed is told in every case, once.
 * Owns its results, until whoever they are for takes them (Results). Knows no wire.
 */
import { queueMicrotask } from '../../event-loop.js'
import { asError, RpcError } from '../rpc-error.js'
import type { CallRequest } from './capability.js'
import type { Results } from './results.js'

export type Outcome = Results | Error

/** To be told of the outcome, once. An object saves its maker a function for each call. */
export type Subscriber = ((outcome: Outcome) => void) | OutcomeListener

export interface OutcomeListener {
  onOutcome(outcome: Outcome): void
}

/** How many answers are being told of at present, each by the one before it; and how many may be: the stack is finite. */
let telling = 0
const deepestTelling = 100

export class Answer {
  #outcome: Outcome | undefined
  #followed: Answer | undefined
  /** There is one, as a rule. */
  #first: Subscriber | undefined
  #others: Subscriber[] | undefined
  #waiting: CallQueue | undefined
  #flushing = false
  #refs = 1
  readonly #waitingLimit: number

  /** @param waitingLimit calls that may wait until it is done, where nothing else bounds them */
  constructor(waitingLimit = Number.POSITIVE_INFINITY) {
    this.#waitingLimit = waitingLimit
  }

  static failed(error: unknown): Answer {
    const answer = new Answer()
    answer.settle(asError(error))
    return answer
  }

  static of(results: Results): Answer {
    const answer = new Answer()
    answer.settle(results)
    return answer
  }

  addRef(): this {
    if (this.#refs > 0) this.#refs++
    return this
  }

  release(): void {
    if (this.#refs === 0 || --this.#refs > 0) return
    const outcome = this.#outcome
    if (this.#followed !== undefined) {
      if (this.#outcome === undefined) this.abandoned()
      this.#followed.release()
      if (this.#outcome === undefined) this.#done(canceledError()) // somebody else waits for it still
    } else if (outcome === undefined) this.canceled()
    else if (!(outcome instanceof Error)) outcome.release()
  }

  /** Nobody holds it any more. */
  get released(): boolean {
    return this.#refs === 0
  }

  get outcome(): Outcome | undefined {
    return this.#outcome
  }

  /** What it takes its outcome from, in the end; itself, if that is nothing else. */
  get source(): Answer {
    let end: Answer = this
    while (end.#followed !== undefined) end = end.#followed // not by recursion: a chain may be long
    return end === this ? this : end.source
  }

  /** Whether it can be done only after `other` is, by what it follows and by the queues that it waits in. */
  dependsOn(other: Answer): boolean {
    let source: Answer | undefined = this.source
    while (source !== undefined && source !== other) source = source.queuedBehind?.source
    return source === other
  }

  /** A call on what this promises, which has not been made. */
  protected get queuedBehind(): Answer | undefined {
    return undefined
  }

  /** `source`, if nobody but this and what lies between holds it; and this has one holder. */
  get soleSource(): Answer | undefined {
    if (this.#refs !== 1) return undefined
    return this.#followed === undefined ? this : this.#followed.soleSource
  }

  /** A tail call: what it comes to stays with the peer, where nobody here can see it. */
  get elsewhere(): boolean {
    return false
  }

  /** Calls back once it is done, at once if it is. */
  subscribe(subscriber: Subscriber): void {
    if (this.#outcome !== undefined) {
      tell(subscriber, this.#outcome)
    } else if (this.#first === undefined && this.#others === undefined) {
      this.#first = subscriber
    } else {
      this.#others ??= []
      this.#others.push(subscriber)
    }
  }

  /** Ends what `subscribe` began. */
  unsubscribe(subscriber: Subscriber): void {
    if (this.#first === subscriber) this.#first = undefined
    else this.#others = this.#others?.filter((other) => other !== subscriber)
  }

  /** A call on what is promised, or on the results. */
  call(request: CallRequest): Answer {
    if (this.#flushing) return this.wait(request) // behind those that have waited longer
    if (this.#followed !== undefined) return this.#followed.call(request)
    return this.#outcome === undefined ? this.callPromised(request) : callOutcome(this.#outcome, request)
  }

  /** It is done: calls that waited go on, in their order, before anybody is told. The results are owned from now on. */
  settle(outcome: Outcome): void {
    if (this.#outcome !== undefined || this.#followed !== undefined) {
      if (!(outcome instanceof Error)) outcome.release()
      return
    }
    this.#done(outcome)
    if (this.#refs === 0 && !(outcome instanceof Error)) outcome.release()
  }

  /** From now on it is what `other` is: calls go there at once. Takes over the caller's reference to it. */
  follow(other: Answer): void {
    if (this.#outcome !== undefined || this.#followed !== undefined) {
      other.release()
      return
    }
    if (this.#refs === 0 || other.dependsOn(this)) {
      this.settle(this.#refs === 0 ? canceledError() : new RpcError('failed', 'a promise was resolved to itself'))
      other.release()
      return
    }
    this.#followed = other
    const flushed = this.#flush((request) => other.call(request))
    other.subscribe((outcome) => {
      if (this.#outcome === undefined) this.#done(outcome)
    })
    for (let i = 0; i < flushed; i++) this.release()
  }

  /** It has just become done, and nobody has been told. */
  protected ended(_outcome: Outcome): void {}

  /** A call while nothing is known: it waits. A question overrides it, and sends it on. */
  protected callPromised(request: CallRequest): Answer {
    return this.wait(request)
  }

  /** Lets a call wait until this is done, and this live until then. */
  protected wait(request: CallRequest): Answer {
    this.#waiting ??= new CallQueue(this.#waitingLimit, () => this.release(), this)
    const answer = this.#waiting.push(request)
    if (answer.outcome === undefined) this.addRef()
    return answer
  }

  /** Nobody wants to know any more, and it is not done. Whatever else an override does, it ends up done. */
  protected canceled(): void {
    this.settle(canceledError())
  }

  /** Nobody holds it any more, and what it follows is not done: that is let go of next. */
  protected abandoned(): void {}

  #done(outcome: Outcome): void {
    this.#outcome = outcome
    const flushed = this.#flush((request) => callOutcome(outcome, request))
    this.ended(outcome)
    if (telling < deepestTelling) this.#tellAll(outcome, flushed)
    else queueMicrotask(() => this.#tellAll(outcome, flushed))
  }

  /** A chain of answers that follow one another is told from within each other. */
  #tellAll(outcome: Outcome, flushed: number): void {
    const first = this.#first
    const others = this.#others
    this.#first = undefined
    this.#others = undefined
    telling++
    try {
      if (first !== undefined) tell(first, outcome)
      if (others !== undefined) for (const subscriber of others) tell(subscriber, outcome)
    } finally {
      telling--
    }
    if (!(outcome instanceof Error)) outcome.watch()
    for (let i = 0; i < flushed; i++) this.release()
  }

  #flush(call: (request: CallRequest) => Answer): number {
    if (this.#waiting === undefined) return 0
    this.#flushing = true
    const flushed = this.#waiting.flush(call)
    this.#flushing = false
    this.#waiting = undefined
    return flushed
  }
}

/** Calls that wait for one promise, in order. Owns their params. */
export class CallQueue {
  readonly #limit: number
  readonly #onCanceled: () => void
  readonly #promise: Answer | undefined
  #calls: WaitingAnswer[] = []

  /**
   * @param onCanceled one that waited has been let go of by its holder
   * @param promise what they wait for, if that is an answer
   */
  constructor(limit: number, onCanceled: () => void = () => {}, promise?: Answer) {
    this.#limit = limit
    this.#onCanceled = onCanceled
    this.#promise = promise
  }

  /** What becomes of it; failed already over the limit. */
  push(request: CallRequest): Answer {
    if (this.#calls.length >= this.#limit) {
      request.params.release()
      const message = `${this.#limit} calls wait for one promise, which is the limit (limits.waitingCalls)`
      return Answer.failed(new RpcError('overloaded', message))
    }
    const answer = new WaitingAnswer(request, this.#limit, this.#promise, () => {
      this.#calls = this.#calls.filter((other) => other !== answer)
      this.#onCanceled()
    })
    this.#calls.push(answer)
    return answer
  }

  /** Makes them all; those that are pushed meanwhile go behind. */
  flush(call: (request: CallRequest) => Answer): number {
    let flushed = 0
    for (;;) {
      const answer = this.#calls.shift()
      if (answer === undefined) return flushed
      flushed++
      answer.make(call)
    }
  }
}

class WaitingAnswer extends Answer {
  /** Owned; undefined once the call is made. */
  #request: CallRequest | undefined
  readonly #promise: Answer | undefined
  readonly #onCanceled: () => void

  constructor(request: CallRequest, waitingLimit: number, promise: Answer | undefined, onCanceled: () => void) {
    super(waitingLimit)
    this.#request = request
    this.#promise = promise
    this.#onCanceled = onCanceled
  }

  protected override get queuedBehind(): Answer | undefined {
    return this.#request === undefined ? undefined : this.#promise
  }

  make(call: (request: CallRequest) => Answer): void {
    const request = this.#request as CallRequest
    this.#request = undefined
    this.follow(call(request))
  }

  protected override canceled(): void {
    if (this.#request !== undefined) {
      this.#request.params.release()
      this.#request = undefined
      this.#onCanceled()
    }
    super.canceled()
  }
}

/** What a call ends with that nobody waits for. */
export function canceledError(): RpcError {
  return new RpcError('disconnected', 'the call was canceled', { origin: 'local' })
}

function tell(subscriber: Subscriber, outcome: Outcome): void {
  if (typeof subscriber === 'function') subscriber(outcome)
  else subscriber.onOutcome(outcome)
}

function callOutcome(outcome: Outcome, request: CallRequest): Answer {
  if (!(outcome instanceof Error)) return outcome.call(request)
  request.params.release()
  return Answer.failed(outcome)
}
