/**
 * Wire: what the messages look like as bytes. The state machine knows no more of it than this.
 */
import type { Message, WirePayload } from '../machine/messages.js'

export interface Wire {
  /** The message's frame is this, and right behind it its content, if it has one. Valid until the next call. */
  encode(message: Message): Uint8Array
  /** The message's frame in one piece, if its content is so short that a copy costs least. Valid until the next call. */
  encodeWhole(message: Message): Uint8Array | undefined
  /**
   * What refers to `bytes` is valid as long as they are. A kind of message that is not known comes as `unknown`.
   * Throws RpcError of origin `remote` for what is no message.
   */
  decode(bytes: Uint8Array): Message
}

/** What a message carries of a value, which is not copied into its head. */
export function contentOf(message: Message): readonly Uint8Array[] {
  if (message.type === 'call') return piecesOf(message.params)
  if (message.type === 'return' && message.outcome.kind === 'results') return piecesOf(message.outcome.payload)
  return noContent
}

/** The same, if it is one piece. */
export function soleContentOf(message: Message): Uint8Array | undefined {
  if (message.type === 'call') return message.params.more === undefined ? message.params.content : undefined
  if (message.type !== 'return') return noBytes
  const { outcome } = message
  if (outcome.kind !== 'results') return noBytes
  return outcome.payload.more === undefined ? outcome.payload.content : undefined
}

/** Who wants to know when that has been sent. */
export function onSentOf(message: Message): (() => void) | undefined {
  return message.type === 'call' ? message.params.onSent : undefined
}

function piecesOf({ content, more }: WirePayload): readonly Uint8Array[] {
  return more === undefined ? [content] : [content, ...more]
}

const noContent: readonly Uint8Array[] = []
const noBytes = new Uint8Array(0)
