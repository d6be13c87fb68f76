/**
 * ReadableStreams as values: the chunks come as they are read, a window ahead.
 */
import { RpcTarget } from '../rpc-target.js'
import { pump, type Sink } from './flow.js'
import { SourceReader, type SourceStub } from './iterable.js'

/** The end that has the stream, which it locks from now on. */
export class ReadableSource extends RpcTarget {
  readonly #reader: ReadableStreamDefaultReader<unknown>
  #over = false

  /** Throws TypeError for a stream that is being read already. */
  constructor(stream: ReadableStream<unknown>) {
    super()
    this.#reader = stream.getReader()
  }

  /** Writes all chunks to the sink; returns when they have been taken. */
  async pipe(sink: Sink): Promise<void> {
    try {
      await pump(() => this.#reader.read() as Promise<IteratorResult<unknown>>, sink)
      this.#over = true
    } catch (error) {
      await this.cancel(error)
      throw error
    }
  }

  /** The other side reads no more. */
  async cancel(reason?: unknown): Promise<void> {
    if (this.#over) return
    this.#over = true
    await this.#reader.cancel(reason)
  }

  [Symbol.dispose](): void {
    this.cancel(new Error('the reader has gone')).catch(() => {}) // nobody is left to be told
  }
}

/** The other end. Takes over the stub of the source. */
export function readableOf(stub: object): ReadableStream {
  const reader = new SourceReader(stub as SourceStub)
  return new ReadableStream<unknown>(
    {
      async pull(controller) {
        const { value, done } = await reader.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 }, // nothing is asked for before it is read
  )
}
