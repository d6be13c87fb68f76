/** The least adapter with messages: values as frames, half-close, back-pressure. */
import type { MessageEnd, MessageHandlers } from '../../../src/adapters/testing/index.js'
import { sendValue, unpackValue } from '../../../src/rpc/index.js'
import type { FrameStream } from '../../../src/stream/index.js'

export function attachMessages(stream: FrameStream, { onMessage, onClose }: MessageHandlers): Required<MessageEnd> {
  const receive = async () => {
    for await (const frame of stream) onMessage(unpackValue(frame).value)
  }
  receive().catch((error: Error) => stream.destroy(error))
  stream.closed.then(
    () => onClose(),
    (error: Error) => onClose(error),
  )
  return {
    send: (message) => (sendValue(stream, message) ? undefined : stream.drained()),
    end: () => stream.end(),
    close: () => stream[Symbol.asyncDispose](),
  }
}
