/**
 * Handle: what is behind a stub or a promise: the capability or answer that it holds, and what can be done with it. The
 * proxies (stubs/proxy.ts) give it the looks of the remote object.
 */
import { ClosedError } from '../../errors.js'
import { queueMicrotask } from '../../event-loop.js'
import { now } from '../call-clock.js'
import { Answer } from '../machine/answer.js'
import { type CallOrigin, type Capability, localOrigin } from '../machine/capability.js'
import { completeValue, OwningValue } from '../machine/complete-value.js'
import { forked } from '../machine/forked-answer.js'
import { type CallMode, mostPathItems, noPath, type Path } from '../machine/messages.js'
import { nil, Payload } from '../machine/payload.js'
import { capabilityAt } from '../machine/pipeline-capability.js'
import type { Vat } from '../machine/vat.js'
import { asError, RpcError } from '../rpc-error.js'
import { currentTrace } from '../trace-context.js'
import { decodeData } from '../values/decode.js'
import { encodeValue } from '../values/encode.js'
import { type Passable, passable } from '../values/passing.js'
import { undecided } from '../values/short-value.js'
import { type CallOptions, isBounded, limitedAnswer } from './call-options.js'
import { rejectedAtCaller } from './caller-stack.js'
import { withDisposer } from './disposer.js'
import { recording } from './recording.js'

export class Handle implements Passable {
  readonly vat: Vat
  readonly options: CallOptions
  readonly path: Path
  /** Of a property: what it is a property of. */
  readonly #root: Handle | undefined
  /** What is called: one of the two, owned; of a property neither. */
  readonly #cap: Capability | undefined
  readonly #answer: Answer | undefined
  #disposed = false
  #promise: Promise<unknown> | undefined

  private constructor(
    vat: Vat,
    options: CallOptions,
    path: Path,
    root: Handle | undefined,
    cap: Capability | undefined,
    answer: Answer | undefined,
  ) {
    this.vat = vat
    this.options = options
    this.path = path
    this.#root = root
    this.#cap = cap
    this.#answer = answer
  }

  /** Takes over the reference. */
  static ofCapability(cap: Capability, vat: Vat, options: CallOptions): Handle {
    return new Handle(vat, options, noPath, undefined, cap, undefined)
  }

  /** Takes over the reference. */
  static ofAnswer(answer: Answer, vat: Vat, options: CallOptions): Handle {
    return new Handle(vat, options, noPath, undefined, undefined, answer)
  }

  property(key: string | number): Handle {
    return this.#propertyAt([...this.path, key], this.options)
  }

  get root(): Handle {
    return this.#root ?? this
  }

  /** It can be awaited: a promise, or a property. */
  get thenable(): boolean {
    return this.#cap === undefined
  }

  get disposed(): boolean {
    return this.root.#disposed
  }

  /** The capability itself; undefined for a promise and a property. Borrowed. */
  get capability(): Capability | undefined {
    return this.#cap
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
    const fault = this.#fault()
    if (fault !== undefined) {
      params.release()
      return Answer.failed(fault)
    }
    const { options, path, root } = this
    let context: CallOrigin
    try {
      context = this.#origin()
    } catch (error) {
      params.release()
      return Answer.failed(error)
    }
    const request = { mode, path, params, context, oneWay }
    const answer = (root.#cap ?? (root.#answer as Answer)).call(request)
    return limitedAnswer(answer, options, context.deadline)
  }

  /** What it promises, as the caller's own. The same promise each time. */
  promise(): Promise<unknown> {
    this.#promise ??= new Promise((resolve, rejectAsItIs) => {
      const reject = (error: unknown): void => {
        const atCaller = error instanceof Error ? rejectedAtCaller(error) : undefined
        if (atCaller === undefined) rejectAsItIs(error)
        else resolve(atCaller)
      }
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
        const data = decodeData(payload, this.vat.values.limits)
        if (data !== undecided) {
          resolve(typeof data === 'object' ? withDisposer(new OwningValue(data, [])) : data)
          return
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
    const root = this.root
    if (root.#disposed) throw disposedError()
    if (root.#answer !== undefined) return { cap: capabilityAt(root.#answer, noPath), path: this.path }
    const cap = (root.#cap as Capability).addRef()
    return { cap, path: this.#root === undefined ? undefined : this.path }
  }

  known(): { readonly value: unknown } | undefined {
    const root = this.root
    const outcome = root.#disposed ? undefined : root.#answer?.outcome
    return outcome === undefined || outcome instanceof Error ? undefined : outcome.valueAt(this.path)
  }

  answer(): Answer | undefined {
    if (this.#root !== undefined) return this.get()
    if (this.#answer === undefined) return undefined
    return this.#disposed ? Answer.failed(disposedError()) : this.#answer.addRef()
  }

  /** Another owner of the same. Throws ClosedError once disposed. */
  dup(): Handle {
    if (this.disposed) throw disposedError()
    if (this.#root !== undefined) return this.#propertyAt(this.path, this.options)
    if (this.#cap !== undefined) return Handle.ofCapability(this.#cap.addRef(), this.vat, this.options)
    return Handle.ofAnswer(this.#another(), this.vat, this.options)
  }

  /** The same object, with other options for its calls. */
  withOptions(options: CallOptions): Handle {
    const merged = { ...this.options, ...options }
    if (this.disposed) throw disposedError()
    if (this.#root !== undefined) return this.#propertyAt(this.path, merged)
    if (this.#cap !== undefined) return Handle.ofCapability(this.#cap.addRef(), this.vat, merged)
    // What it promises is waited for under the options too, from now on.
    const limited = limitedAnswer(this.#another(), options, now() + (options.timeout ?? 0))
    return Handle.ofAnswer(limited, this.vat, merged)
  }

  onBroken(tell: (error: Error) => void): void {
    const { root } = this
    if (root.#disposed) throw disposedError()
    const callback = apart(tell)
    if (root.#cap !== undefined) {
      root.#cap.onBroken(callback)
      return
    }
    const answer = root.#answer as Answer
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
    this.#cap?.release()
    this.#answer?.release()
  }

  #propertyAt(path: Path, options: CallOptions): Handle {
    return new Handle(this.vat, options, path, this.root, undefined, undefined)
  }

  /** What is promised, with an owner of its own. */
  #another(): Answer {
    return forked((this.#answer as Answer).addRef())
  }

  #origin(): CallOrigin {
    const { timeout } = this.options
    const { traceContext } = this.vat.options
    if (timeout === undefined && traceContext === undefined) return localOrigin
    return {
      deadline: isBounded(timeout) ? now() + timeout : 0,
      trace: currentTrace(traceContext),
      session: undefined,
    }
  }

  #fault(): Error | undefined {
    if (this.root.#disposed) return disposedError()
    if (this.path.length > mostPathItems) return new RpcError('failed', `a path of more than ${mostPathItems} names`)
    const { signal } = this.options
    return signal?.aborted === true ? asError(signal.reason) : undefined
  }
}

/** The handle behind a stub or promise. */
export function handleOf(value: unknown): Handle | undefined {
  if (typeof value !== 'function') return undefined
  return (value as { [passable]?: Handle })[passable]
}

/** Called amid the end of a session, which goes on whatever it throws: that is nobody's here, and ends up uncaught. */
function apart(tell: (error: Error) => void): (error: Error) => void {
  return (error) => {
    try {
      tell(error)
    } catch (thrown) {
      queueMicrotask(() => {
        throw thrown
      })
    }
  }
}

function disposedError(): ClosedError {
  return new ClosedError('the stub is disposed of: dup() it to keep it for longer')
}
