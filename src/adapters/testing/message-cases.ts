/**
 * What an adapter without calls has to do, one that carries messages: in order and whole, both directions apart, told
 * once when it is over, and a sender that is held back while the peer does not read.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { hostileCases } from './hostile-cases.js'
import { type Case, expect, numbersIn, Trial, type TrialSettings } from './trial.js'

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
interface Received {
  readonly end: MessageEnd
  readonly messages: unknown[]
  readonly closings: (Error | undefined)[]
}

/** The cases of an adapter with messages. */
export function messageCases(adapter: MessageAdapter): Case[] {
  const on = (name: string, body: (trial: Trial) => Promise<void>) => Trial.case(name, adapter, body)
  const make = adapter.message ?? objectMessage
  const messages = (count: number, size: (i: number) => number) =>
    Array.from({ length: count }, (_, i) => make(i, size(i), []))
  return [
    on('carries messages in order and whole, both ways at once', async (trial) => {
      const { near, far } = await ends(trial, adapter)
      const sent = messages(1000, (i) => (i * i) % 5000)
      for (const message of sent) await Promise.all([near.end.send(message), far.end.send(message)])
      for (const { messages } of [near, far]) {
        await trial.until(
          () => `${sent.length} messages, of which ${messages.length} have come`,
          () => messages.length >= sent.length,
        )
        expectAll(messages, sent)
      }
    }),
    on('carries a large message', async (trial) => {
      const { near, far } = await ends(trial, adapter)
      const sent = messages(3, () => 4 * 1024 * 1024)
      for (const message of sent) await trial.within('the sending', near.end.send(message))
      await trial.until('large messages', () => far.messages.length === sent.length)
      expectAll(far.messages, sent)
    }),
    on('refuses a message over the limit at once', async (trial) => {
      const { near, streams } = await ends(trial, adapter)
      const { maxPayload } = streams[0].limits
      await trial.rejection('a message over maxPayload', async () => near.end.send(make(0, maxPayload + 1, [])))
    }),
    on('delivers what was sent before the close, then tells it, once', async (trial) => {
      const { near, far } = await ends(trial, adapter)
      const sent = messages(100, () => 1000)
      for (const message of sent) await near.end.send(message)
      await (near.end.end === undefined ? near.end.close() : near.end.end())
      await trial.until('all messages', () => far.messages.length === sent.length)
      await far.end.close()
      await trial.until('a close at both ends', () => near.closings.length > 0 && far.closings.length > 0)
      await trial.allClosed()
      expectAll(far.messages, sent)
      expect(near.closings.length === 1 && far.closings.length === 1, 'the close was told more than once')
    }),
    ...halfClose(adapter, on, messages),
    ...losses(adapter, on, make),
    ...backPressure(adapter, on, make),
    ...(adapter.descriptors === 'carried' ? carried(adapter, on, make) : refused(adapter, on, make)),
    ...hostileCases(adapter, async (_trial, stream) => (await received(adapter, stream)).end, {
      begin: (end) => [end.send(make(1, 20, []))],
    }),
  ]
}

type On = (name: string, body: (trial: Trial) => Promise<void>) => Case
type Make = (number: number, size: number, descriptors: readonly Descriptor[]) => unknown

function halfClose(adapter: MessageAdapter, on: On, messages: (n: number, size: (i: number) => number) => unknown[]) {
  return [
    on('receives behind its own end, where it has half-close', async (trial) => {
      const { near, far } = await ends(trial, adapter)
      if (near.end.end === undefined || far.end.end === undefined) return
      const sent = messages(50, () => 100)
      await trial.within('its end', near.end.end())
      for (const message of sent) await far.end.send(message)
      await trial.until('messages behind the end', () => near.messages.length === sent.length)
      await trial.within('its end', far.end.end())
      await trial.until('a close at both ends', () => near.closings.length === 1 && far.closings.length === 1)
      expectAll(near.messages, sent)
      await trial.allClosed()
    }),
  ]
}

function losses(adapter: MessageAdapter, on: On, make: Make): Case[] {
  return [
    on('tells once that the peer is lost, and sends no more', async (trial) => {
      const { near, streams } = await ends(trial, adapter)
      streams[1].destroy()
      await ended(near.end) // half-close: a lost peer may only have ended its direction
      await trial.until('the close', () => near.closings.length > 0)
      await trial.rejection('a message after the end', async () => near.end.send(make(0, 10, [])))
      await near.end.close()
      await trial.allClosed()
      expect(near.closings.length === 1, 'the close was told more than once')
    }),
    on('tells both ends when a stream is destroyed with an error', async (trial) => {
      const { near, far, streams } = await ends(trial, adapter)
      streams[0].destroy(new Error('lost'))
      await ended(far.end)
      await trial.until('a close at both ends', () => near.closings.length === 1 && far.closings.length === 1)
      expect(near.closings[0] instanceof Error, 'the end that had an error was told of none')
    }),
  ]
}

function backPressure(adapter: MessageAdapter, on: On, make: Make): Case[] {
  const most = 64 * 1024 * 1024
  return [
    on('holds the sender back while the peer does not read, where it has back-pressure', async (trial) => {
      const [stream, peer] = trial.pair()
      const { end } = await received(adapter, stream)
      const sent: unknown[] = []
      let sending: unknown
      let waits = false
      for (let bytes = 0; bytes < most && !waits; bytes += 64 * 1024) {
        const message = make(sent.length, 64 * 1024, [])
        sent.push(message)
        sending = end.send(message)
        waits = sending instanceof Promise && (await isPending(sending))
        if (adapter.backPressure === false && sent.length === 100) break
      }
      expect(waits || adapter.backPressure === false, `${sent.length} messages of 64 KiB were taken at once`)
      const far = await received(adapter, peer)
      await trial.within('the sending, once the peer reads', sending)
      await trial.until('all messages', () => far.messages.length === sent.length)
      expectAll(far.messages, sent)
      await far.end.close()
    }),
  ]
}

function carried(adapter: MessageAdapter, on: On, make: Make): Case[] {
  return [
    on('carries a thousand descriptors, each to its own message', async (trial) => {
      const { near, far } = await ends(trial, adapter)
      for (let number = 0; number < 1000; ) {
        const { length } = far.messages
        const files = Array.from({ length: 1 + (length % 9) }, (_, i) => trial.file(number + i))
        await near.end.send(make(length, 10, files))
        await near.end.send(make(length + 1, 10, []))
        await trial.until('a message with descriptors', () => far.messages.length === length + 2)
        const found = far.messages.splice(length).map(numbersIn)
        const expected = [files.map((_, i) => number + i), []]
        expect(isDeepStrictEqual(found, expected), `the descriptors came out as ${JSON.stringify(found)}`)
        far.messages.push(null, null)
        number += files.length
        for (const file of files) file.close()
      }
    }),
    on('closes what is under way when the peer is lost', async (trial) => {
      const [stream, peer] = trial.pair()
      const { end } = await received(adapter, stream)
      for (let i = 0; i < 50; i++) await end.send(make(i, 10, [trial.file(i)]))
      peer.destroy()
      await trial.allClosed()
      await end.close()
    }),
  ]
}

function refused(adapter: MessageAdapter, on: On, make: Make): Case[] {
  return [
    on('refuses a descriptor at the call, and goes on', async (trial) => {
      const { near, far } = await ends(trial, adapter)
      const file = trial.file(7)
      const error = await trial.rejection('a message with a descriptor', async () => near.end.send(make(0, 10, [file])))
      expect(/descriptor/i.test(error.message), `the error does not speak of descriptors: ${error.message}`)
      expect(!file.closed, 'the refused descriptor was closed or taken')
      await near.end.send(make(1, 10, []))
      await trial.until('the next message', () => far.messages.length === 1)
    }),
  ]
}

async function ends(trial: Trial, adapter: MessageAdapter) {
  const streams = trial.pair()
  const [near, far] = await Promise.all([received(adapter, streams[0]), received(adapter, streams[1])])
  return { near, far, streams }
}

async function received(adapter: MessageAdapter, stream: FrameStream): Promise<Received> {
  const messages: unknown[] = []
  const closings: (Error | undefined)[] = []
  const end = await adapter.attach(stream, {
    onMessage: (message) => void messages.push(message),
    onClose: (error) => void closings.push(error),
  })
  return { end, messages, closings }
}

function objectMessage(number: number, size: number, descriptors: readonly Descriptor[]): unknown {
  return { number, text: 'x'.repeat(size), descriptors }
}

function expectAll(messages: readonly unknown[], sent: readonly unknown[]): void {
  const wrong = sent.findIndex((message, i) => !isDeepStrictEqual(messages[i], message))
  expect(wrong < 0, `message ${wrong} came out as another`)
  expect(messages.length === sent.length, `${sent.length} messages were sent, ${messages.length} have come`)
}

/** Its own direction, where there is half-close. The peer may be gone. */
async function ended(end: MessageEnd): Promise<void> {
  await Promise.resolve(end.end?.()).catch(() => {}) // the close tells
}

/** Whether it is still so after some turns of the loop, in which all that can happen at once has happened. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  const settle = () => {
    settled = true
  }
  promise.then(settle, settle)
  for (let turn = 0; turn < 10 && !settled; turn++) await new Promise((resolve) => setImmediate(resolve))
  return !settled
}
