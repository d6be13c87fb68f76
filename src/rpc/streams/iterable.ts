/**
 * Async iterables and generators as values: the values come as they are asked for, a window ahead.
 */
import { RpcTarget } from '../rpc-target.js'
import { Inlet, pump, type Sink } from './flow.js'

/** The end that has the iterable. */
export class IterableSource extends RpcTarget {
  readonly #iterable: AsyncIterable<unknown>
  #iterator: AsyncIterator<unknown> | undefined
  #over = false

  constructor(iterable: AsyncIterable<unknown>) {
    super()
    this.#iterable = iterable
  }

  /** Writes all values to the sink; returns when they have been taken. */
  async pipe(sink: Sink): Promise<void> {
    if (this.#iterator !== undefined) throw new Error('the values are being read already')
    const iterator = this.#iterable[Symbol.asyncIterator]()
    this.#iterator = iterator
    try {
      await pump(() => iterator.next() as Promise<IteratorResult<unknown>>, sink)
      this.#over = true
    } finally {
      await this.#stop()
    }
  }

  /** The reader wants no more. */
  async cancel(): Promise<void> {
    await this.#stop()
  }

  [Symbol.dispose](): void {
    this.#stop().catch(() => {}) // the reader has gone: nobody is left to be told
  }

  async #stop(): Promise<void> {
    if (this.#over) return
    this.#over = true
    const iterator = this.#iterator ?? this.#iterable[Symbol.asyncIterator]()
    this.#iterator = iterator
    await iterator.return?.()
  }
}

/** The other end. Takes over the stub of the source. */
export function iterableOf(stub: object): AsyncIterable<unknown> {
  return new ReceivedIterable(stub as SourceStub)
}

export interface SourceStub extends Disposable {
  pipe(sink: Inlet): PromiseLike<unknown>
  cancel(reason?: unknown): PromiseLike<unknown>
}

/** Reads a source: asks for its values when the first is wanted. */
export class SourceReader {
  readonly #source: SourceStub
  readonly #inlet = new Inlet()
  #started = false
  #over = false

  constructor(source: SourceStub) {
    this.#source = source
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (!this.#started && !this.#over) this.#start()
    return this.#inlet.take()
  }

  /** Wants no more. */
  async cancel(reason: unknown): Promise<void> {
    if (this.#over) return
    this.#over = true
    this.#inlet.stop()
    try {
      await this.#source.cancel(reason)
    } finally {
      this.#source[Symbol.dispose]()
    }
  }

  #start(): void {
    this.#started = true
    this.#source.pipe(this.#inlet).then(
      () => this.#finish('properly'),
      (error: unknown) => this.#finish({ error }),
    )
  }

  #finish(end: { readonly error: unknown } | 'properly'): void {
    this.#inlet.finish(end)
    if (this.#over) return
    this.#over = true
    this.#source[Symbol.dispose]()
  }
}

class ReceivedIterable implements AsyncIterable<unknown> {
  readonly #reader: SourceReader

  constructor(source: SourceStub) {
    this.#reader = new SourceReader(source)
  }

  /** One reading: iterators made later go on where the others are. */
  [Symbol.asyncIterator](): AsyncIterableIterator<unknown, undefined> {
    const iterator: AsyncIterableIterator<unknown, undefined> = {
      next: () => this.#reader.next(),
      return: async () => {
        await this.#reader.cancel(undefined)
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }
}
