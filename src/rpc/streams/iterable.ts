/**
 * Async iterables and generators as values, and iterators that are not async: the values come as they are asked for, a
 * window ahead.
 */
import type { Capability } from '../machine/capability.js'
import type { Vat } from '../machine/vat.js'
import type { ReceivedStream } from '../values/passing.js'
import type { Feed } from './source.js'
import { SourceReader } from './source-reader.js'

export type AnyIterable = AsyncIterable<unknown> | Iterable<unknown>

/** The end that has the iterable. */
export class IterableFeed implements Feed {
  readonly #iterable: AnyIterable
  #iterator: AsyncIterator<unknown> | Iterator<unknown> | undefined

  constructor(iterable: AnyIterable) {
    this.#iterable = iterable
  }

  begin(): void {}

  next(): Promise<IteratorResult<unknown>> {
    return settled(this.#begun().next())
  }

  async stop(): Promise<unknown> {
    return await this.#begun().return?.()
  }

  #begun(): AsyncIterator<unknown> | Iterator<unknown> {
    this.#iterator ??= iteratorOf(this.#iterable)
    return this.#iterator
  }
}

function iteratorOf(iterable: AnyIterable): AsyncIterator<unknown> | Iterator<unknown> {
  return Symbol.asyncIterator in iterable ? iterable[Symbol.asyncIterator]() : iterable[Symbol.iterator]()
}

/** As `for await` has it: of an iterator that is not async, the values are awaited. */
async function settled(
  next: IteratorResult<unknown> | Promise<IteratorResult<unknown>>,
): Promise<IteratorResult<unknown>> {
  if (next instanceof Promise) return next
  const result = await next
  return result.done === true ? result : { done: false, value: await result.value }
}

/** The other end. Takes over the reference to the source. */
export function iterableOf(cap: Capability, vat: Vat): ReceivedStream<AsyncIterable<unknown>> {
  const reader = new SourceReader(cap, vat)
  const value = new ReceivedIterable(reader)
  forgotten.register(value, reader)
  return {
    value,
    [Symbol.dispose]() {
      if (!value.asked) reader.abandon()
    },
  }
}

const forgotten = new FinalizationRegistry<SourceReader>((reader) => reader.abandon())

/** One reading, and its own iterator, as a generator is: whoever iterates keeps it. */
class ReceivedIterable implements AsyncIterableIterator<unknown, undefined> {
  readonly #reader: SourceReader
  #asked = false

  constructor(reader: SourceReader) {
    this.#reader = reader
  }

  /** Somebody has asked for an iterator, or for a value. */
  get asked(): boolean {
    return this.#asked || this.#reader.begun
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return this.#reader.next()
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.#reader.cancel(undefined)
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    this.#asked = true
    return this
  }
}
