/**
 * WritableTarget: the end of a WritableStream that has it. The writer's end hands over a source with what it writes, which is
 * read from here into the stream, as `pipeTo` would, with less to do for each chunk.
 */
import { UsageError } from '../../errors.js'
import { RpcError } from '../rpc-error.js'
import { RpcTarget } from '../rpc-target.js'
import { disposeOf, takeReaderOf } from './readable.js'
import type { SourceReader } from './source-reader.js'

export class WritableTarget extends RpcTarget {
  readonly #stream: WritableStream<unknown>
  #writer: WritableStreamDefaultWriter<unknown> | undefined

  /** Throws UsageError for a stream that is being written already. */
  constructor(stream: WritableStream<unknown>) {
    super()
    if (stream.locked) throw new UsageError('a WritableStream that is locked cannot travel')
    this.#stream = stream
  }

  /** Not for the writer, as an own property: the message that bears it is complete. */
  readonly begin = (): void => {
    this.#writer = this.#stream.getWriter()
  }

  /** Writes all that the other side has; returns when the stream is closed, throws what ended it otherwise. */
  async pull(source: unknown): Promise<void> {
    if (!(source instanceof ReadableStream)) {
      throw new RpcError('failed', 'a stream is pulled from a stream', { origin: 'remote' })
    }
    const writer = this.#writer
    if (writer === undefined) throw new RpcError('failed', 'the stream is written already', { origin: 'remote' })
    this.#writer = undefined
    const reader = takeReaderOf(source)
    if (reader === undefined) {
      // One of this vat's, by a peer that gave back what it was given.
      writer.releaseLock()
      await source.pipeTo(this.#stream)
    } else {
      await new Piping(reader, writer).run()
    }
  }

  [Symbol.dispose](): void {
    const writer = this.#writer
    this.#writer = undefined
    writer?.abort(new RpcError('disconnected', 'the writer has gone')).catch(() => {}) // nobody is left to be told
  }
}

/** What ends either end ends the other one, even while a chunk is waited for. */
class Piping {
  readonly #reader: SourceReader
  readonly #writer: WritableStreamDefaultWriter<unknown>
  /** The stream has failed: nothing is written any more. */
  #failed = false
  #written: Promise<void> = Promise.resolve()

  constructor(reader: SourceReader, writer: WritableStreamDefaultWriter<unknown>) {
    this.#reader = reader
    this.#writer = writer
  }

  async run(): Promise<void> {
    const writer = this.#writer
    try {
      await Promise.all([this.#write(), writer.closed.catch((error: unknown) => this.#fail(error))])
    } catch (error) {
      this.#failed = true
      await this.#written.catch(nothing) // what came before the error is written before it
      await writer.abort(error) // does nothing to a stream that has failed itself
      throw error
    } finally {
      writer.releaseLock()
    }
  }

  /** The stream has failed: the source is told, and what goes wrong with that is behind what ended it. */
  async #fail(error: unknown): Promise<never> {
    this.#failed = true
    await this.#reader.cancel(error).catch(nothing)
    throw error
  }

  async #write(): Promise<void> {
    const writer = this.#writer
    for (;;) {
      if (!((writer.desiredSize ?? 0) > 0)) await writer.ready // rejects once the stream has failed
      const bytes = this.#reader.bytes()
      const next = bytes === undefined ? await this.#reader.next() : { value: bytes, done: false }
      if (this.#failed) {
        disposeOf(next.value)
        return
      }
      if (next.done === true) break
      this.#written = writer.write(next.value)
      this.#written.catch(nothing) // `closed` rejects with it
    }
    await writer.close()
  }
}

function nothing(): void {}
