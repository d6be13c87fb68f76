/**
 * WritableStreams as values: what is written travels, no more under way than the window at the other end allows.
 *
 * Whoever has the stream reads what is written as it would any source: it is the writer that becomes one.
 */
import type { Capability } from '../machine/capability.js'
import type { Vat } from '../machine/vat.js'
import { RpcError } from '../rpc-error.js'
import { noOptions } from '../stubs/call-options.js'
import { Handle } from '../stubs/handle.js'
import type { ReceivedStream } from '../values/passing.js'
import { CapabilityReference } from '../values/reference.js'
import { Tag } from '../values/tags.js'
import { type Feed, Source } from './source.js'
import { outcomeOf } from './source-reader.js'

/** The other end. Takes over the reference to the target. */
export function writableOf(cap: Capability, vat: Vat): ReceivedStream<WritableStream> {
  const pushed = new PushedChunks(cap, vat)
  const value = new WritableStream<unknown>({
    start: (controller) => pushed.start(controller),
    write: (chunk) => pushed.write(chunk),
    close: () => pushed.close(),
    abort: (reason) => pushed.abort(reason),
  })
  forgotten.register(value, pushed)
  return {
    value,
    [Symbol.dispose]() {
      if (!pushed.begun && !value.locked) pushed.abandon()
    },
  }
}

const forgotten = new FinalizationRegistry<PushedChunks>((pushed) => pushed.abandon())

interface Written {
  readonly chunk: unknown
  resolve(): void
  reject(error: unknown): void
}

/**
 * From `write` to `next`: a write is done when the next one may come: the window has room for it, and what is large has
 * been sent.
 */
class PushedChunks implements Feed {
  /** Until its `write` is done. */
  readonly lends = true
  readonly #target: Handle
  readonly #vat: Vat
  /** Weak: the session holds this, and the stream is to be found forgotten. */
  #controller: WeakRef<WritableStreamDefaultController> | undefined
  #outcome: Promise<Error | undefined> | undefined
  #waiting: Written | undefined
  #taken: Written | undefined
  #asking: { resolve(next: IteratorResult<unknown>): void; reject(error: unknown): void } | undefined
  #end: { readonly error: unknown } | 'properly' | undefined

  constructor(target: Capability, vat: Vat) {
    this.#target = Handle.ofCapability(target, vat, noOptions)
    this.#vat = vat
  }

  get begun(): boolean {
    return this.#outcome !== undefined || this.#end !== undefined
  }

  start(controller: WritableStreamDefaultController): void {
    this.#controller = new WeakRef(controller)
  }

  write(chunk: unknown): Promise<void> {
    this.#offer()
    return new Promise((resolve, reject) => {
      this.#waiting = { chunk, resolve, reject }
      this.#serve()
    })
  }

  async close(): Promise<void> {
    const outcome = this.#offer()
    this.#finish('properly')
    const error = await outcome
    if (error !== undefined) throw error
  }

  /** The other end is aborted with the reason. */
  async abort(reason: unknown): Promise<void> {
    const outcome = this.#offer()
    this.#finish({ error: reason })
    await outcome
  }

  /** Nobody will write any more. */
  abandon(): void {
    if (this.begun) this.#finish({ error: new RpcError('disconnected', 'the writer has gone') })
    else this.#target.dispose()
  }

  // ── as the source of the other end ───────────────────────────────────────────────────────────────────────────────

  begin(): void {}

  next(): Promise<IteratorResult<unknown>> {
    this.#taken?.resolve()
    this.#taken = undefined
    return new Promise((resolve, reject) => {
      this.#asking = { resolve, reject }
      this.#serve()
    })
  }

  async stop(reason: unknown): Promise<void> {
    this.#fail(reason)
  }

  /** Hands itself over as a source, with the first that is to be said. */
  #offer(): Promise<Error | undefined> {
    if (this.#outcome !== undefined) return this.#outcome
    const source = new Source(this, this.#vat)
    source.begin()
    const cap = this.#vat.hold(source)
    const answer = this.#target.property('pull').call([new CapabilityReference(Tag.readable, cap)])
    cap.release()
    this.#outcome = outcomeOf(answer)
    this.#outcome.then((error) => {
      this.#fail(error ?? new RpcError('failed', 'the other end has stopped'))
      this.#target.dispose()
    })
    return this.#outcome
  }

  #serve(): void {
    const asking = this.#asking
    if (asking === undefined) return
    if (this.#waiting !== undefined) {
      this.#taken = this.#waiting
      this.#waiting = undefined
      this.#asking = undefined
      asking.resolve({ done: false, value: this.#taken.chunk })
    } else if (this.#end !== undefined) {
      this.#asking = undefined
      if (this.#end === 'properly') asking.resolve({ done: true, value: undefined })
      else asking.reject(this.#end.error)
    }
  }

  #finish(end: { readonly error: unknown } | 'properly'): void {
    this.#end ??= end
    this.#serve()
  }

  /** The other end takes no more. */
  #fail(error: unknown): void {
    this.#end ??= { error }
    this.#waiting?.reject(error)
    this.#taken?.reject(error)
    this.#waiting = undefined
    this.#taken = undefined
    this.#controller?.deref()?.error(error)
    this.#serve()
  }
}
