/**
 * LocalCapability: an object of this vat, called by whoever holds it. Here values become arguments, and what a method
 * returns becomes results.
 *
 * One for each object that is held anywhere, so that an object stays the same capability however often it travels.
 */

import { queueMicrotask } from '../../event-loop.js'
import { type ContextSource, callWith, ServedCallContext } from '../call-context.js'
import { servedCall } from '../diagnostics.js'
import { asError, RpcError } from '../rpc-error.js'
import { decodeData } from '../values/decode.js'
import { encodeValue } from '../values/encode.js'
import { passable } from '../values/passing.js'
import { CapabilityReference } from '../values/reference.js'
import { undecided } from '../values/short-value.js'
import { Tag } from '../values/tags.js'
import { Answer, canceledError, type Outcome } from './answer.js'
import { type CallRequest, Capability } from './capability.js'
import { type CompleteValue, completeValue, type Stop } from './complete-value.js'
import { followPath, isPassable, isThenable } from './followed-path.js'
import { forked } from './forked-answer.js'
import type { Path } from './messages.js'
import { Results } from './results.js'
import type { Vat } from './vat.js'

export class LocalCapability extends Capability {
  readonly target: object
  readonly #vat: Vat
  readonly #onGone: (target: object) => void
  #deferred = 0

  constructor(target: object, vat: Vat, onGone: (target: object) => void) {
    super()
    this.target = target
    this.#vat = vat
    this.#onGone = onGone
  }

  call(request: CallRequest): Answer {
    const source = request.context.session as ContextSource | undefined
    const context = new ServedCallContext(source, request.context.deadline, request.context.trace)
    const answer = new ServedAnswer(context, this.addRef(), this.#vat.options.waitingCalls)
    if (this.servesAtOnce && source !== undefined) {
      this.#serve(request, answer, context)
    } else {
      this.#deferred++
      queueMicrotask(() => {
        this.#deferred--
        this.#serve(request, answer, context)
      })
    }
    return answer
  }

  /** Calls from elsewhere; not while this vat's own wait for the code that is running, which they must not overtake. */
  get servesAtOnce(): boolean {
    return this.#deferred === 0
  }

  /** The last stub is gone. */
  protected override dispose(): void {
    this.#onGone(this.target)
    const { [Symbol.dispose]: dispose } = this.target as Partial<Disposable>
    if (typeof dispose !== 'function') return
    try {
      dispose.call(this.target)
    } catch (error) {
      // Nobody called it who could be told.
      queueMicrotask(() => {
        throw error
      })
    }
  }

  #serve(request: CallRequest, answer: ServedAnswer, context: ServedCallContext): void {
    if (answer.released) {
      request.params.release()
      answer.settle(canceledError())
      return
    }
    const ended = servedCall(request, context.peer)
    if (ended !== undefined) {
      answer.subscribe((outcome) => {
        if (answer.source.elsewhere) ended('passedOn')
        else ended(context.canceled ? 'canceled' : outcome)
      })
    }
    if (request.mode !== 'call') {
      this.#get(request, answer, context)
      return
    }
    const data = decodeData(request.params, this.#vat.values.limits)
    if (data !== undecided) {
      this.#invoke(request.path, data, answer, context)
      return
    }
    const decoded = (args: CompleteValue | Error): void => {
      if (args instanceof Error) {
        answer.settle(args)
      } else {
        answer.owns(args)
        this.#invoke(request.path, args.value, answer, context)
      }
    }
    const bytes = request.params.stays ? 'views' : 'copies'
    const stop = completeValue(request.params, 'args', this.#vat, request.context, decoded, undefined, bytes)
    answer.waitsFor(stop)
  }

  #invoke(path: Path, args: unknown, answer: ServedAnswer, context: ServedCallContext): void {
    try {
      if (!Array.isArray(args))
        throw new RpcError('failed', 'the arguments of a call are an array', { origin: 'remote' })
      const { value, owner, rest } = followPath(this.target, path)
      if (isThenable(value) || isPassable(value)) {
        const { outgoing, limits } = this.#vat.values
        const request = callRequest(rest, encodeValue(args, 'args', 'lent', outgoing, limits), context)
        const inner = this.#answerOf(value)
        answer.follow(inner.call(request))
        inner.release()
      } else if (typeof value !== 'function') {
        throw new RpcError('unimplemented', `${path.join('.')} is no function`)
      } else {
        this.#finish(callWith(context, value as Method, owner, args), 'moved', answer)
      }
    } catch (error) {
      answer.settle(asError(error))
    }
  }

  #get(request: CallRequest, answer: ServedAnswer, context: ServedCallContext): void {
    try {
      const { value, owner, rest } = callWith(context, followPath, undefined, [this.target, request.path])
      if (isThenable(value) || isPassable(value) || request.mode === 'map') {
        const inner = value === this.target ? this.#itself() : this.#answerOf(value)
        answer.follow(inner.call({ ...request, path: rest }))
        inner.release()
        return
      }
      request.params.release()
      if (value === this.target) answer.follow(this.#itself())
      else this.#finish(typeof value === 'function' ? bound(value, owner) : value, 'lent', answer)
    } catch (error) {
      request.params.release()
      answer.settle(asError(error))
    }
  }

  /** What a method has returned, or an accessor holds. */
  #finish(value: unknown, ownership: 'lent' | 'moved', answer: Answer): void {
    let results: Results
    try {
      // Merely to ask what it is may run somebody's code, which may throw.
      if (isPassable(value)) {
        const promised = value[passable].answer()
        if (promised !== undefined) {
          // What is only lent is somebody else's to take.
          answer.follow(ownership === 'moved' ? promised : forked(promised))
          if (ownership === 'moved') value[passable].dispose()
          return
        }
      } else if (isThenable(value)) {
        // Whatever a `then` does, it is told of in one way, and once.
        Promise.resolve(value).then(
          (settled) => this.#finish(settled, ownership, answer),
          (error) => answer.settle(asError(error)),
        )
        return
      }
      const { values } = this.#vat
      results = new Results(encodeValue(value, 'result', ownership, values.outgoing, values.limits), values)
    } catch (error) {
      answer.settle(asError(error))
      return
    }
    answer.settle(results)
  }

  /** A reference of the caller's own. */
  #answerOf(value: unknown): Answer {
    const answer = new Answer(this.#vat.options.waitingCalls)
    this.#finish(value, 'lent', answer)
    return answer
  }

  #itself(): Answer {
    const reference = new CapabilityReference(Tag.capability, this)
    const { values } = this.#vat
    return Answer.of(new Results(encodeValue(reference, 'result', 'lent', values.outgoing, values.limits), values))
  }
}

type Method = (...args: unknown[]) => unknown

/**
 * A call that is being served: letting go of it tells the method, and it is done when that has ended. It holds the object
 * for as long as somebody waits for it.
 */
class ServedAnswer extends Answer {
  readonly #context: ServedCallContext
  #held: Capability | undefined
  /** What lives until it has ended. */
  #args: Disposable | undefined
  #stopWaiting: Stop | undefined

  /** Takes over the reference. */
  constructor(context: ServedCallContext, held: Capability, waitingLimit: number) {
    super(waitingLimit)
    this.#context = context
    this.#held = held
  }

  /** Disposes of the arguments when it has ended. */
  owns(args: Disposable): void {
    this.#args = args
  }

  /** An error looks the same to a caller by a session, whether or not it has travelled (a tail call's does not). */
  override settle(outcome: Outcome): void {
    const plain = this.#context.remote && outcome instanceof Error && !(outcome instanceof RpcError)
    super.settle(plain ? new RpcError('failed', outcome.message, { cause: outcome }) : outcome)
  }

  /** @param stop ends the wait for the arguments, and with it the call */
  waitsFor(stop: Stop): void {
    this.#stopWaiting = stop
  }

  protected override ended(): void {
    this.#letGo()
    this.#context.ended()
    this.#args?.[Symbol.dispose]()
    this.#args = undefined
  }

  protected override canceled(): void {
    this.#context.cancel(canceledError())
    this.#stopWaiting?.()
    this.#letGo()
  }

  /** Its method has returned a call that it waits for; unless the caller has been told to take it from there. */
  protected override abandoned(): void {
    if (!this.source.elsewhere) this.#context.cancel(canceledError())
  }

  #letGo(): void {
    this.#held?.release()
    this.#held = undefined
  }
}

function callRequest(path: Path, params: CallRequest['params'], context: ServedCallContext): CallRequest {
  return {
    mode: 'call',
    path,
    params,
    context: { deadline: context.deadline ?? 0, trace: context.trace, session: undefined },
  }
}

function bound(value: unknown, owner: unknown): unknown {
  return (...args: unknown[]) => Reflect.apply(value as (...args: unknown[]) => unknown, owner, args)
}
