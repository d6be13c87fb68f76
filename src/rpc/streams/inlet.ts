/**
 * Inlet: what a source writes its chunks to, at the reader's end. They wait as they came, and are decoded when they are
 * taken: what nobody takes makes no stubs, and a chunk with a promise in it is not overtaken by the next.
 *
 * Owns the chunks until they are taken. The source's one method is `write`.
 */
import { Answer } from '../machine/answer.js'
import { type CallRequest, Capability, localOrigin } from '../machine/capability.js'
import { type CompleteValue, completeValue, Expansion, type Stop } from '../machine/complete-value.js'
import { nil, Payload } from '../machine/payload.js'
import { Results } from '../machine/results.js'
import type { Vat } from '../machine/vat.js'
import { RpcError } from '../rpc-error.js'
import { withDisposer } from '../stubs/disposer.js'
import { leastView } from '../values/decode.js'
import { soleBinaryOf } from '../values/sole-binary.js'
import { type ReceiveWindow, weightOf } from './window.js'

export type Next = IteratorResult<unknown, undefined>
export type End = { readonly error: unknown } | 'properly'

interface Taker {
  resolve(next: Next): void
  reject(error: unknown): void
}

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

export class Inlet extends Capability {
  readonly #vat: Vat
  readonly #window: ReceiveWindow
  readonly #onFault: (error: Error) => void
  readonly #chunks: Payload[] = []
  readonly #takers: Taker[] = []
  /** A chunk is being decoded, and may wait for what it was promised: ends that. */
  #decoding: Stop | undefined
  #end: End | undefined
  #stopped = false
  /** The answer to every write. */
  #written: Answer | undefined

  /** @param onFault a chunk that cannot be: nothing more can be read. Called before the reader is told. */
  constructor(vat: Vat, window: ReceiveWindow, onFault: (error: Error) => void) {
    super()
    this.#vat = vat
    this.#window = window
    this.#onFault = onFault
  }

  call({ mode, path, params }: CallRequest): Answer {
    if (mode !== 'call' || path.length !== 1 || path[0] !== 'write') {
      params.release()
      return Answer.failed(new RpcError('unimplemented', 'a stream is written to, and nothing else'))
    }
    if (this.#end !== undefined) {
      params.release()
      return Answer.failed(new RpcError('failed', 'the reader has stopped'))
    }
    if (!this.#window.received(weightOf(params))) {
      params.release()
      const error = new RpcError('overloaded', `more of a stream than its window of ${this.#window.size} bytes`, {
        origin: 'remote',
      })
      this.#fail(error)
      return Answer.failed(error)
    }
    this.#chunks.push(params)
    this.#serve()
    this.#written ??= Answer.of(new Results(new Payload(nil), this.#vat.values))
    return this.#written.addRef()
  }

  /** The next chunk, which is the taker's with all that is in it; or the end, behind all that was written before. */
  take(): Promise<Next> {
    return new Promise((resolve, reject) => {
      this.#takers.push({ resolve, reject })
      this.#serve()
    })
  }

  /** The same, if it is bytes, is here, and nobody waits for one before it; undefined otherwise. */
  takeBytes(): Uint8Array | undefined {
    if (this.#decoding !== undefined || this.#takers.length > 0) return undefined
    const chunk = this.#chunks[0]
    const bytes = chunk === undefined ? undefined : bytesOf(chunk)
    if (chunk === undefined || bytes === undefined) return undefined
    this.#chunks.shift()
    this.#window.taken(weightOf(chunk))
    return bytes
  }

  /** Nothing more comes; what was written can still be taken. */
  finish(end: End): void {
    this.#end ??= end
    this.#serve()
  }

  /** Nobody takes any more. */
  stop(): void {
    this.#end = 'properly'
    this.#stopped = true
    this.#decoding?.()
    for (const chunk of this.#chunks.splice(0)) chunk.release()
    this.#serve()
  }

  #serve(): void {
    while (this.#decoding === undefined && this.#takers.length > 0) {
      const chunk = this.#chunks.shift()
      if (chunk !== undefined) {
        this.#decode(chunk, this.#takers.shift() as Taker)
      } else if (this.#end !== undefined) {
        const taker = this.#takers.shift() as Taker
        if (this.#end === 'properly') taker.resolve(finished)
        else taker.reject(this.#end.error)
      } else {
        return
      }
    }
  }

  #decode(chunk: Payload, taker: Taker): void {
    const weight = weightOf(chunk)
    const bytes = bytesOf(chunk)
    if (bytes !== undefined) {
      this.#window.taken(weight)
      taker.resolve({ done: false, value: bytes })
      return
    }
    this.#decoding = () => {}
    let later = false
    const stop = completeValue(
      chunk,
      'chunk',
      this.#vat,
      localOrigin,
      (complete) => {
        this.#decoding = undefined
        this.#window.taken(weight)
        this.#give(complete, taker)
        if (later) this.#serve()
      },
      new Expansion(undefined),
      'views', // nobody else has the memory of a chunk
    )
    later = true
    if (this.#decoding !== undefined) this.#decoding = stop
  }

  #give(complete: CompleteValue | Error, taker: Taker): void {
    if (complete instanceof Error && this.#stopped) {
      taker.resolve(finished)
    } else if (complete instanceof Error) {
      this.#fail(complete)
      taker.reject(complete)
    } else if (!Array.isArray(complete.value)) {
      complete.dispose()
      const error = new RpcError('failed', 'the arguments of a call are an array', { origin: 'remote' })
      this.#fail(error)
      taker.reject(error)
    } else {
      taker.resolve({ done: false, value: withDisposer(complete, complete.value[0]) })
    }
  }

  #fail(error: Error): void {
    this.#end = { error }
    for (const chunk of this.#chunks.splice(0)) chunk.release()
    this.#onFault(error)
  }
}

/** Of a chunk that is bytes alone. Nobody else has the memory of a chunk; a view of it has to be worth keeping that. */
function bytesOf(chunk: Payload): Uint8Array | undefined {
  if (!chunk.plain) return undefined
  const bytes = soleBinaryOf(chunk.content)
  return bytes === undefined || bytes.length >= leastView ? bytes : new Uint8Array(bytes)
}
