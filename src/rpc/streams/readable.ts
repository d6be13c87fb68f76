/**
 * ReadableStreams as values: the chunks come as they are read, a window ahead.
 */
import { UsageError } from '../../errors.js'
import type { Capability } from '../machine/capability.js'
import type { Vat } from '../machine/vat.js'
import type { ReceivedStream } from '../values/passing.js'
import type { Feed } from './source.js'
import { SourceReader } from './source-reader.js'

/** The end that has the stream, which it locks when it is given away. */
export class ReadableFeed implements Feed {
  readonly lends = true
  readonly #stream: ReadableStream<unknown>
  #reader: ReadableStreamDefaultReader<unknown> | undefined

  /** Throws UsageError for a stream that is being read already. */
  constructor(stream: ReadableStream<unknown>) {
    if (stream.locked) throw new UsageError('a ReadableStream that is locked cannot travel')
    this.#stream = stream
  }

  begin(): void {
    this.#reader = this.#stream.getReader()
  }

  next(): Promise<IteratorResult<unknown>> {
    return (this.#reader as ReadableStreamDefaultReader<unknown>).read() as Promise<IteratorResult<unknown>>
  }

  stop(reason: unknown): Promise<unknown> {
    return (this.#reader as ReadableStreamDefaultReader<unknown>).cancel(reason)
  }
}

/** The other end. Takes over the reference to the source. */
export function readableOf(cap: Capability, vat: Vat): ReceivedStream<ReadableStream> {
  const reader = new SourceReader(cap, vat)
  let canceled = false
  const value = new ReadableStream<unknown>(
    {
      pull(controller): Promise<void> | undefined {
        const bytes = reader.bytes()
        if (bytes === undefined) {
          return reader.next().then((next) => {
            if (canceled) disposeOf(next.value)
            else if (next.done === true) controller.close()
            else controller.enqueue(next.value)
          })
        }
        controller.enqueue(bytes)
        return undefined
      },
      cancel(reason): Promise<void> {
        canceled = true
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 }, // nothing is asked for before it is read
  )
  forgotten.register(value, reader, value)
  readers.set(value, reader)
  return {
    value,
    [Symbol.dispose]() {
      if (!reader.begun && !value.locked) reader.abandon()
    },
  }
}

/** Of a chunk that came too late for whoever read it: what is in it is nobody's. */
export function disposeOf(chunk: unknown): void {
  if (typeof chunk !== 'object' && typeof chunk !== 'function') return
  ;(chunk as Partial<Disposable> | null)?.[Symbol.dispose]?.()
}

/**
 * For whoever reads all of it without the stream's help, and keeps the reader: locks the stream. Undefined where it is no
 * other vat's, or is read already.
 */
export function takeReaderOf(stream: ReadableStream): SourceReader | undefined {
  const reader = readers.get(stream)
  if (reader === undefined || stream.locked) return undefined
  stream.getReader()
  forgotten.unregister(stream)
  return reader
}

const readers = new WeakMap<ReadableStream, SourceReader>()
const forgotten = new FinalizationRegistry<SourceReader>((reader) => reader.abandon())
