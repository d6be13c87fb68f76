/**
 * Capabilities that the peer has said are in an answer of this end's, which need not be there yet. The library's begin to work
 * once it is: what is called on them before that is never sent on, and pending for ever.
 */
import { type Call, type Client, type Conn, copyCall, type Message, type Struct } from 'capnp-es'
import { capsOf } from './attached.js'
import { type Answer, callIn, LaterAnswer, type Path } from './later-answer.js'

type Entry = NonNullable<ReturnType<Conn['insertAnswer']>>
type Promised = Client & { readonly a: Entry; readonly transform: Path }

/** As many as may wait for an answer that is not there yet. */
const maxWaiting = 64

/** By answers whose waiting calls are being sent on: what is called meanwhile, and goes behind these. */
const calledMeanwhile = new WeakMap<Entry, (() => void)[]>()

/** Replaces the library's in the table of a received message, from this one on. */
export function replacePromised(message: Message, first: number): void {
  const caps = capsOf(message)
  for (let i = first; i < caps.length; i++) {
    const client = caps[i]
    if (isPromised(client)) caps[i] = new PromisedClient(client.a, client.transform)
  }
}

/** Sends on what waits for the answer, and behind that what is called on its capabilities while that is done. */
export function sendingOn(answer: Entry, sendWaiting: () => void): void {
  const meanwhile: (() => void)[] = []
  calledMeanwhile.set(answer, meanwhile)
  sendWaiting()
  for (const call of meanwhile) call() // to which they may add
  calledMeanwhile.delete(answer)
}

class PromisedClient implements Client {
  readonly #answer: Entry
  readonly #path: Path

  constructor(answer: Entry, path: Path) {
    this.#answer = answer
    this.#path = path
  }

  call<P extends Struct, R extends Struct>(call: Call<P, R>): Answer<R> {
    const meanwhile = calledMeanwhile.get(this.#answer)
    if (this.#answer.done && meanwhile === undefined) return this.#callNow(call)
    const later = new LaterAnswer<R>()
    try {
      if (meanwhile === undefined)
        this.#answer.queueCall(call, this.#path, later as unknown as Entry) // it settles it, no more
      else this.#callBehind(meanwhile, call, later)
    } catch (error) {
      later.reject(error as Error)
    }
    return later
  }

  /** Its answer is not given up with it. */
  close(): void {}

  /** Results may have the promise of themselves in them: that comes here again and again. */
  #callBehind<P extends Struct, R extends Struct>(
    calls: (() => void)[],
    call: Call<P, R>,
    later: LaterAnswer<R>,
  ): void {
    if (calls.length === maxWaiting) throw new Error('too many calls wait for an answer')
    const copied = copyCall(call)
    calls.push(() => later.become(this.#callNow(copied)))
  }

  #callNow<P extends Struct, R extends Struct>(call: Call<P, R>): Answer<R> {
    const results: Struct | undefined = this.#answer.obj
    return callIn({ results, error: this.#answer.err }, this.#path, call)
  }
}

function isPromised(client: Client | null | undefined): client is Promised {
  return client !== null && client !== undefined && 'a' in client && 'transform' in client
}
