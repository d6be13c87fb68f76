/**
 * How a link with messages ends: behind what was sent, told once; and, where there is half-close, one direction before the
 * other.
 */
import { overBefore } from './endings.js'
import {
  expectAll,
  type MessageAdapter,
  type MessageEnd,
  makerOf,
  messageLinkOf,
  messagesOf,
  receiving,
} from './message-link.js'
import { type Case, expect, type On } from './trial.js'

export function messageEndingCases(adapter: MessageAdapter, on: On): Case[] {
  const make = makerOf(adapter)
  return [
    on('delivers what was sent before the close, then tells it, once', async (trial) => {
      const { near, far } = await messageLinkOf(trial, adapter)
      const sent = messagesOf(adapter, 100, () => 1000)
      for (const message of sent) await near.end.send(message)
      await (near.end.end === undefined ? near.end.close() : near.end.end())
      await trial.until('all messages', () => far.messages.length === sent.length)
      await far.end.close()
      await trial.until('a close at both ends', () => near.closings.length > 0 && far.closings.length > 0)
      await trial.allClosed()
      expectAll(far.messages, sent)
      expect(near.closings.length === 1 && far.closings.length === 1, 'the close was told more than once')
      const failure = near.closings[0] ?? far.closings[0]
      expect(failure === undefined, `a clean close was told as a failure: ${String(failure)}`)
    }),
    on('receives behind its own end, where it has half-close', async (trial) => {
      const { near, far } = await messageLinkOf(trial, adapter)
      if (near.end.end === undefined || far.end.end === undefined) return
      const sent = messagesOf(adapter, 50, () => 100)
      await trial.within('its end', near.end.end())
      for (const message of sent) await far.end.send(message)
      await trial.until('messages behind the end', () => near.messages.length === sent.length)
      await trial.within('its end', far.end.end())
      await trial.until('a close at both ends', () => near.closings.length === 1 && far.closings.length === 1)
      expectAll(near.messages, sent)
      await trial.allClosed()
    }),
    on('tells once that the peer is lost, and sends no more', async (trial) => {
      const { near, streams } = await messageLinkOf(trial, adapter)
      streams[1].destroy()
      await ended(near.end) // half-close: a lost peer may only have ended its direction
      await trial.until('the close', () => near.closings.length > 0)
      await trial.rejection('a message after the end', async () => near.end.send(make(0, 10, [])))
      await near.end.close()
      await trial.allClosed()
      expect(near.closings.length === 1, 'the close was told more than once')
    }),
    on('tells both ends when a stream is destroyed with an error', async (trial) => {
      const { near, far, streams } = await messageLinkOf(trial, adapter)
      streams[0].destroy(new Error('lost'))
      await ended(far.end)
      await trial.until('a close at both ends', () => near.closings.length === 1 && far.closings.length === 1)
      expect(near.closings[0] instanceof Error, 'the end that had an error was told of none')
    }),
    ...overBefore.map(({ how, end }) =>
      on(`tells at once that it is over on a stream that ${how}, and sends nothing`, async (trial) => {
        const streams = trial.pair()
        const failure = await end(streams)
        const { end: near, closings } = await receiving(adapter, streams[0])
        await trial.rejection('a message', async () => near.send(make(0, 10, [])))
        await trial.until('the close', () => closings.length > 0)
        await near.close()
        expect(closings.length === 1, 'the close was told more than once')
        expect(failure === undefined || closings[0] instanceof Error, 'an end that had an error was told of none')
      }),
    ),
  ]
}

/** Its own direction, where there is half-close. The peer may be gone. */
async function ended(end: MessageEnd): Promise<void> {
  await Promise.resolve(end.end?.()).catch(() => {}) // the close tells
}
