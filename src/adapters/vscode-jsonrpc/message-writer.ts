/**
 * The writer: messages as frames. A write is done when it is sent or waits within the stream's high-water mark; past that, it
 * waits until there is room; with descriptors, until they have gone.
 */
import { AbstractMessageWriter, type Message, type MessageWriter } from 'vscode-jsonrpc/node'
import type { FrameStream } from '../../stream/index.js'
import type { Calls } from './calls.js'
import type { Encoding, Envelope } from './encoding.js'

export interface WriterParts {
  readonly stream: FrameStream
  readonly encoding: Encoding
  readonly calls: Calls
}

export class FrameMessageWriter extends AbstractMessageWriter implements MessageWriter {
  readonly #parts: WriterParts
  #errors = 0

  constructor(parts: WriterParts) {
    super()
    this.#parts = parts
  }

  /** Rejects with what cannot be sent, which `onError` tells too. Descriptors in a result are sent or closed. */
  async write(message: Message & Envelope): Promise<void> {
    const { stream, encoding, calls } = this.#parts
    try {
      const { payload, descriptors } = encoding.encode(message)
      let goesOn: boolean
      try {
        goesOn = stream.send(payload, descriptors) // not transferred: then it throws what it finds out at once
      } finally {
        for (const descriptor of descriptors) descriptor.close()
      }
      calls.sent(message)
      // What is found out later, that the peer refuses descriptors, drops this frame alone.
      if (descriptors.length > 0) await stream.flush()
      else if (!goesOn) await stream.drained()
    } catch (error) {
      this.fireError(error, message, ++this.#errors)
      throw error
    }
  }

  /** Ends this direction behind what was written. */
  end(): void {
    this.#parts.stream.end().catch((error: Error) => this.fireError(error))
  }

  /** The stream has closed. */
  closed(): void {
    this.fireClose()
  }
}
