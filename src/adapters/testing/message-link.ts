/**
 * A link of two ends of an adapter with messages, and what each has received.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { expect, type Trial, type TrialSettings } from './trial.js'

export interface MessageHandlers {
  onMessage(message: unknown): void
  /** Both directions are done: once, behind the last message. */
  onClose(error?: Error): void
}

export interface MessageEnd {
  /**
   * Sends a message. Throws, or rejects, for what can never be sent. Where the library has back-pressure, a promise that
   * is pending while the sender should wait.
   */
  send(message: unknown): unknown
  /** Ends this direction behind what was sent, where the library has that. The other goes on. */
  end?(): unknown
  /** Ends both, now or when all has been sent. */
  close(): unknown
}

export interface MessageAdapter extends TrialSettings {
  /** Puts the adapter on a stream. Owns the stream. */
  attach(stream: FrameStream, handlers: MessageHandlers): MessageEnd | Promise<MessageEnd>
  /** Whether descriptors travel, or are an error at `send`. */
  readonly descriptors: 'carried' | 'refused'
  /** Whether `send` holds the sender back. Default: it does. */
  readonly backPressure?: boolean
  /** A message of this number and about so many bytes, with these descriptors in it. Default: an object. */
  message?(number: number, size: number, descriptors: readonly Descriptor[]): unknown
  /** Payloads that a hostile peer of this library's would send. */
  readonly hostile?: readonly Uint8Array[]
}

/** One end, and what it has received. */
export interface Received {
  readonly end: MessageEnd
  readonly messages: unknown[]
  readonly closings: (Error | undefined)[]
}

/** A message of the adapter's, as `message` makes it. */
type Make = (number: number, size: number, descriptors: readonly Descriptor[]) => unknown

export function makerOf(adapter: MessageAdapter): Make {
  return (
    adapter.message?.bind(adapter) ?? ((number, size, descriptors) => ({ number, text: 'x'.repeat(size), descriptors }))
  )
}

export function messagesOf(adapter: MessageAdapter, count: number, size: (i: number) => number): unknown[] {
  const make = makerOf(adapter)
  return Array.from({ length: count }, (_, i) => make(i, size(i), []))
}

/** Two ends of the adapter. */
export async function messageLinkOf(trial: Trial, adapter: MessageAdapter) {
  const streams = trial.pair()
  const [near, far] = await Promise.all([receiving(adapter, streams[0]), receiving(adapter, streams[1])])
  return { near, far, streams }
}

export async function receiving(adapter: MessageAdapter, stream: FrameStream): Promise<Received> {
  const messages: unknown[] = []
  const closings: (Error | undefined)[] = []
  const end = await adapter.attach(stream, {
    onMessage: (message) => void messages.push(message),
    onClose: (error) => void closings.push(error),
  })
  return { end, messages, closings }
}

export function expectAll(messages: readonly unknown[], sent: readonly unknown[]): void {
  const wrong = sent.findIndex((message, i) => !isDeepStrictEqual(messages[i], message))
  expect(wrong < 0, `message ${wrong} came out as another`)
  expect(messages.length === sent.length, `${sent.length} messages were sent, ${messages.length} have come`)
}
