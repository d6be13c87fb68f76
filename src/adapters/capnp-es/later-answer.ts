/**
 * The answer to a call that waits, and the calls on what it will have in it. The library's own leaves these pending where it
 * rejects, and is an unhandled rejection where nobody awaits it.
 */
import {
  type Call,
  type Client,
  clientFromResolution,
  copyCall,
  Deferred,
  type ErrorClient,
  type Struct,
} from 'capnp-es'

export type Answer<R extends Struct> = ReturnType<typeof ErrorClient.prototype.call<Struct, R>>
export type Path = Parameters<typeof clientFromResolution>[0]

interface Outcome {
  readonly results?: Struct | undefined
  readonly error?: Error | undefined
}

export class LaterAnswer<R extends Struct> implements Answer<R> {
  readonly #deferred = new Deferred<R>()
  readonly #waiting: ((outcome: Outcome) => void)[] = []
  #outcome: Outcome | undefined

  constructor() {
    this.#deferred.promise.catch(() => {}) // whoever awaits it is told all the same
  }

  fulfill(results: R): void {
    this.#settle({ results })
    this.#deferred.resolve(results)
  }

  reject(error: Error): void {
    this.#settle({ error })
    this.#deferred.reject(error)
  }

  /** As the answer does, once it is there. */
  become(answer: Answer<R>): void {
    answer.struct().then(
      (results) => this.fulfill(results),
      (error: Error) => this.reject(error),
    )
  }

  struct(): Promise<R> {
    return this.#deferred.promise
  }

  pipelineCall<P extends Struct, S extends Struct>(path: Path, call: Call<P, S>): Answer<S> {
    if (this.#outcome !== undefined) return callIn(this.#outcome, path, call)
    const later = new LaterAnswer<S>()
    const copied = copyCall(call)
    this.#waiting.push((outcome) => later.become(callIn(outcome, path, copied)))
    return later
  }

  pipelineClose(): void {}

  /** What waits goes first: whoever awaits the results may call the same. */
  #settle(outcome: Outcome): void {
    this.#outcome = outcome
    for (const call of this.#waiting.splice(0)) call(outcome)
  }
}

/** Throws nothing, nor does the answer when it is asked for: what calls for somebody else has nobody to throw it to. */
export function callOn<P extends Struct, R extends Struct>(find: () => Client, call: Call<P, R>): Answer<R> {
  try {
    const answer = find().call(call)
    if ('structSync' in answer && typeof answer.structSync === 'function') answer.structSync() // one that is there: an error
    return answer
  } catch (error) {
    const failed = new LaterAnswer<R>()
    failed.reject(error as Error)
    return failed
  }
}

/** On the capability that an answer has there; throws nothing. */
export function callIn<P extends Struct, R extends Struct>(
  { results, error }: Outcome,
  path: Path,
  call: Call<P, R>,
): Answer<R> {
  return callOn(() => clientFromResolution(path, results, error), call)
}
