/**
 * pillion/adapters/vscode-jsonrpc: the JSON-RPC of language servers over a frame stream.
 *
 * The stream's codec says how. With `contentLength()`, messages are JSON behind a Content-Length header, as every peer of the
 * protocol has them. With `pillion()`, they are MessagePack, and a `Descriptor` may stand anywhere in params and results.
 */
import {
  type ConnectionOptions,
  ConnectionStrategy,
  createMessageConnection as createConnection,
  type Logger,
  type MessageConnection,
  type MessageReader,
  type MessageWriter,
} from 'vscode-jsonrpc/node'
import { UsageError } from '../../errors.js'
import { clearTimeout, setTimeout } from '../../event-loop.js'
import { contentLength, pillion } from '../../framing/index.js'
import type { FrameStream } from '../../stream/index.js'
import type { UntakenOptions } from '../link/untaken.js'
import { Calls } from './calls.js'
import { json, messagePack } from './encoding.js'
import { FrameMessageReader } from './message-reader.js'
import { FrameMessageWriter } from './message-writer.js'

/** The library's, and a limit of what calls hold that are not over. */
export interface JsonRpcOptions extends ConnectionOptions, UntakenOptions {}

export interface MessageStreams {
  readonly reader: MessageReader
  readonly writer: MessageWriter
  /**
   * The options given, and a message strategy that closes what a call received and did not take. Without it, received
   * descriptors are for whoever gets the message to close.
   */
  readonly options: ConnectionOptions
}

/**
 * A reader and a writer, for what takes these: `createConnection` of vscode-languageserver, `createProtocolConnection`. They
 * do not close the stream. vscode-jsonrpc leaves requests pending when its reader closes: dispose of the connection then,
 * `connection.onClose(() => connection.dispose())`.
 *
 * Throws UsageError for a stream of another codec than these two.
 */
export function messageStreams(stream: FrameStream, options: JsonRpcOptions = {}): MessageStreams {
  const { reader, writer, messageStrategy } = joined(stream, options, false) // whoever ends the stream cannot know what is held back
  return { reader, writer, options: { ...options, messageStrategy } }
}

/**
 * A connection that owns the stream. When the peer ends, or the stream is lost, it is disposed of, so that what is pending
 * rejects; when it is disposed of, the calls that run here have two seconds for their answers, and the stream ends.
 *
 * Received descriptors are closed when their call has ended, unless taken; those of a result are the caller's. Descriptors in
 * params stay the sender's, duplicates travel; those in a result are handed over.
 *
 * Throws UsageError for a stream of another codec than contentLength() and pillion().
 */
export function createMessageConnection(
  stream: FrameStream,
  logger?: Logger,
  options: ConnectionStrategy | JsonRpcOptions = {},
): MessageConnection {
  const given: JsonRpcOptions = ConnectionStrategy.is(options) ? { connectionStrategy: options } : options
  const { reader, writer, calls, messageStrategy } = joined(stream, given, true)
  const connection = createConnection(reader, writer, logger, { ...given, messageStrategy })
  connection.onClose(() => connection.dispose())
  connection.onDispose(() => finish(stream, calls, writer))
  return connection
}

/** For answers that are not there yet, and for a peer that does not end. */
const patienceMilliseconds = 2000

function joined(stream: FrameStream, options: JsonRpcOptions, holdsBack: boolean) {
  const { codec } = stream
  if (codec !== contentLength() && codec !== pillion()) {
    throw new UsageError(
      `JSON-RPC is for the codecs contentLength() and pillion(), not for ${codec?.name ?? 'messages'}`,
    )
  }
  const { maxParallelism = -1, messageStrategy: inner, maxUntaken } = options
  const answersAtOnce = maxParallelism !== -1
  const encoding = codec === pillion() ? messagePack : json
  const calls = new Calls(maxUntaken)
  const reader = new FrameMessageReader({
    stream,
    encoding,
    calls,
    answersAtOnce,
    answer: (answer) => writer.write(answer).catch(() => {}), // its onError has told
    onClose: () => writer.closed(),
  })
  const { turns } = reader
  const writer: FrameMessageWriter = new FrameMessageWriter({ stream, encoding, calls, turns, holdsBack })
  const refuse = reader.refuse.bind(reader)
  const onFailure = answersAtOnce ? (error: Error) => reader.failed(error) : undefined
  return { reader, writer, calls, messageStrategy: calls.strategy({ turns, inner, refuse, onFailure }) }
}

/** Closed at once with something of the peer's unread, it would look like a crash to the peer (ECONNRESET). */
function finish(stream: FrameStream, calls: Calls, writer: FrameMessageWriter): void {
  if (stream.destroyed) return
  const patience = setTimeout(() => stream.destroy(), patienceMilliseconds).unref()
  stream.once('close', () => clearTimeout(patience))
  calls.whenIdle(() => {
    writer.release()
    stream.end().then(
      () => stream.destroyed || stream.unref(),
      () => stream.destroy(),
    )
  })
}
