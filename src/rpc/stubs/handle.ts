/**
 * Handle: what is behind a stub or a promise: the capability or answer that it holds, and what can be done with it. The
 * proxies (stubs/proxy.ts) give it the looks of the remote object.
 */
import { ClosedError } from '../../errors.js'
import { Answer } from '../machine/answer.js'
import { type CallOrigin, type Capability, localOrigin } from '../machine/capability.js'
import { completeValue } from '../machine/complete-value.js'
import { forked } from '../machine/forked-answer.js'
import { type CallMode, noPath, type Path } from '../machine/messages.js'
import { nil, Payload } from '../machine/payload.js'
import { capabilityAt } from '../machine/pipeline-capability.js'
import type { Vat } from '../machine/vat.js'
import { asError, RpcError } from '../rpc-error.js'
import { currentTrace } from '../trace-context.js'
import { encodeValue } from '../values/encode.js'
import { type Passable, passable } from '../values/passing.js'
import { type CallOptions, isBounded, limitedAnswer } from './call-options.js'
import { withDisposer } from './disposer.js'
import { recording } from './recording.js'

/** What a call may name: longer paths are nobody's. */
const longestPath = 256

/** What is called: one of the two, owned. */
export type Held = { readonly cap: Capability } | { readonly answer: Answer }

export class Handle implements Passable {
  readonly vat: Vat
  readonly options: CallOptions
  readonly path: Path
  /** Of a property: what it is a property of. */
  readonly #root: Handle | undefined
  readonly #held: Held | undefined
  #disposed = false
  #promise: Promise<unknown> | undefined

  private constructor(vat: Vat, options: CallOptions, held: Held | undefined, root: Handle | undefined, path: Path) {
    this.vat = vat
    this.options = options
    this.#held = held
    this.#root = root
    this.path = path
  }

  /** Takes over the reference. */
  static over(held: Held, vat: Vat, options: CallOptions): Handle {
    return new Handle(vat, options, held, undefined, noPath)
  }

  property(key: string | number): Handle {
    return new Handle(this.vat, this.options, undefined, this.root, [...this.path, key])
  }

  get root(): Handle {
    return this.#root ?? this
  }

  /** It can be awaited: a promise, or a property. */
  get thenable(): boolean {
    return this.#root !== undefined || 'answer' in (this.#held as Held)
  }

  get disposed(): boolean {
    return this.root.#disposed
  }

  /** The capability itself; undefined for a promise and a property. Borrowed. */
  get capability(): Capability | undefined {
    return this.#held !== undefined && 'cap' in this.#held ? this.#held.cap : undefined
  }

  /** What becomes of a call of what it stands for; a reference of the caller's own. Never throws. */
  call(args: readonly unknown[]): Answer {
    const recorder = recording()
    if (recorder !== undefined) return recorder.record(this, 'call', args)
    let params: Payload
    try {
      const { outgoing, limits } = this.vat.values
      params = encodeValue(args, 'args', 'lent', outgoing, limits)
    } catch (error) {
      return Answer.failed(error)
    }
    return this.request('call', params)
  }

  /** The value of a property; a reference of the caller's own. */
  get(): Answer {
    const recorder = recording()
    if (recorder !== undefined) return recorder.record(this, 'get', undefined)
    return this.request('get', new Payload(nil))
  }

  /** Owns the program. */
  map(program: Payload): Answer {
    const recorder = recording()
    if (recorder !== undefined) return recorder.recordMap(this, program)
    return this.request('map', program)
  }

  /** Sends it. Owns the params. One-way: nothing is heard of what becomes of it. */
  request(mode: CallMode, params: Payload, oneWay = false): Answer {
    const held = this.root.#held as Held
    const fault = this.#fault()
    if (fault !== undefined) {
      params.release()
      return Answer.failed(fault)
    }
    const { options, path } = this
    let context: CallOrigin
    try {
      context = this.#origin()
    } catch (error) {
      params.release()
      return Answer.failed(error)
    }
    const request = { mode, path, params, context, ...(oneWay ? { oneWay } : {}) } as const
    const answer = 'cap' in held ? held.cap.call(request) : held.answer.call(request)
    return limitedAnswer(answer, options, context.deadline)
  }

  /** What it promises, as the caller's own. The same promise each time. */
  promise(): Promise<unknown> {
    this.#promise ??= new Promise((resolve, reject) => {
      const answer = this.answer() as Answer
      answer.subscribe((outcome) => {
        if (outcome instanceof Error) {
          answer.release()
          reject(outcome)
          return
        }
        let payload: Payload
        try {
          payload = outcome.take()
        } catch (error) {
          reject(error)
          return
        } finally {
          answer.release()
        }
        completeValue(payload, 'result', this.vat, localOrigin, (value) => {
          if (value instanceof Error) reject(value)
          else resolve(withDisposer(value))
        })
      })
    })
    return this.#promise
  }

  pass(): { readonly cap: Capability; readonly path: Path | undefined } {
    const held = this.root.#held as Held
    if (this.disposed) throw disposedError()
    if ('answer' in held) return { cap: capabilityAt(held.answer, noPath), path: this.path }
    return { cap: held.cap.addRef(), path: this.#root === undefined ? undefined : this.path }
  }

  known(): { readonly value: unknown } | undefined {
    const held = this.root.#held as Held
    const outcome = this.disposed || 'cap' in held ? undefined : held.answer.outcome
    return outcome === undefined || outcome instanceof Error ? undefined : outcome.valueAt(this.path)
  }

  answer(): Answer | undefined {
    if (this.#root !== undefined) return this.get()
    const held = this.#held as Held
    if (!('answer' in held)) return undefined
    return this.#disposed ? Answer.failed(disposedError()) : held.answer.addRef()
  }

  /** Another owner of the same. Throws ClosedError once disposed. */
  dup(): Handle {
    if (this.disposed) throw disposedError()
    if (this.#root !== undefined) return new Handle(this.vat, this.options, undefined, this.#root, this.path)
    return Handle.over(this.#another(), this.vat, this.options)
  }

  /** The same object, with other options for its calls. */
  withOptions(options: CallOptions): Handle {
    const merged = { ...this.options, ...options }
    if (this.disposed) throw disposedError()
    if (this.#root !== undefined) {
      return new Handle(this.vat, merged, undefined, this.#root, this.path)
    }
    const another = this.#another()
    if ('cap' in another) return Handle.over(another, this.vat, merged)
    // What it promises is waited for under the options too, from now on.
    return Handle.over(
      { answer: limitedAnswer(another.answer, options, performance.now() + (options.timeout ?? 0)) },
      this.vat,
      merged,
    )
  }

  onBroken(callback: (error: Error) => void): void {
    const held = this.root.#held as Held
    if (this.disposed) throw disposedError()
    if ('cap' in held) {
      held.cap.onBroken(callback)
      return
    }
    const { answer } = held
    answer.subscribe(() => {
      if (answer.released) return
      const cap = capabilityAt(answer, noPath)
      cap.onBroken(callback)
      cap.release()
    })
  }

  dispose(): void {
    if (this.#root !== undefined || this.#disposed) return
    this.#disposed = true
    const held = this.#held as Held
    if ('cap' in held) held.cap.release()
    else held.answer.release()
  }

  /** The same, with an owner of its own. */
  #another(): Held {
    const held = this.#held as Held
    return 'cap' in held ? { cap: held.cap.addRef() } : { answer: forked(held.answer.addRef()) }
  }

  #origin(): CallOrigin {
    const { timeout } = this.options
    return {
      deadline: isBounded(timeout) ? performance.now() + timeout : 0,
      trace: currentTrace(this.vat.options.traceContext),
      session: undefined,
    }
  }

  #fault(): Error | undefined {
    if (this.disposed) return disposedError()
    if (this.path.length > longestPath) return new RpcError('failed', `a path of more than ${longestPath} names`)
    const { signal } = this.options
    return signal?.aborted === true ? asError(signal.reason) : undefined
  }
}

/** The handle behind a stub or promise. */
export function handleOf(value: unknown): Handle | undefined {
  if (typeof value !== 'function') return undefined
  return (value as { [passable]?: Handle })[passable]
}

function disposedError(): ClosedError {
  return new ClosedError('the stub is disposed of: dup() it to keep it for longer')
}
