/**
 * A frame stream as the web's streams: readable of frames, writable of outgoing frames, back-pressure kept.
 */
import type { ReadableStream, WritableStream, WritableStreamDefaultController } from 'node:stream/web'
import { checkOptions } from '../arguments.js'
import type { Descriptor } from '../transport/index.js'
import type { Frame } from './frame.js'
import type { FrameStream } from './frame-stream.js'

/** What `writable` takes; as the arguments of `send`. */
export interface OutgoingFrame {
  readonly payload: Uint8Array | readonly Uint8Array[]
  readonly descriptors?: Iterable<Descriptor | number>
  readonly transfer?: boolean
}

/** Frames one by one, none ahead of what is asked for; cancelling destroys the stream. */
export function readableOf(stream: FrameStream): ReadableStream<Frame> {
  const frames = stream[Symbol.asyncIterator]()
  let cancelled = false
  // The global one: importing the module would cost every program some milliseconds at its start.
  return new globalThis.ReadableStream<Frame>(
    {
      async pull(controller) {
        const next = await frames.next()
        if (cancelled) next.value?.[Symbol.dispose]()
        else if (next.done === true) controller.close()
        else controller.enqueue(next.value)
      },
      cancel(reason) {
        cancelled = true // a frame may be on its way to a reader that takes it no more
        stream.destroy(reason instanceof Error ? reason : undefined)
      },
    },
    { highWaterMark: 0 },
  )
}

export interface Writable {
  readonly stream: WritableStream<OutgoingFrame>
  /**
   * Nothing can be written any more: whoever only waits, as a pipe whose source is idle, is told of it. False: it had been
   * closed.
   */
  fail(error: Error): boolean
}

/**
 * Each write is done once its bytes are whoever's that wrote them again, and the stream is below its mark; closing
 * half-closes it, aborting destroys it.
 */
export function writableOf(stream: FrameStream): Writable {
  let controller: WritableStreamDefaultController | undefined
  let closed = false
  const writable = new globalThis.WritableStream<OutgoingFrame>({
    start(given) {
      controller = given
    },
    async write(frame) {
      checkOptions(frame)
      const { payload, descriptors, transfer } = frame
      stream.send(payload, descriptors, transfer === undefined ? {} : { transfer })
      await stream.released()
    },
    close() {
      closed = true
      return stream.end()
    },
    abort(reason) {
      stream.destroy(reason instanceof Error ? reason : undefined)
    },
  })
  return {
    stream: writable,
    fail(error) {
      controller?.error(error)
      return !closed
    },
  }
}
