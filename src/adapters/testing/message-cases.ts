/**
 * What an adapter without calls has to do, one that carries messages: in order and whole, both directions apart, told
 * once when it is over, and a sender that is held back while the peer does not read.
 */
import { setImmediate } from '../../event-loop.js'
import { hostileCases } from './hostile-cases.js'
import { messageDescriptorCases } from './message-descriptor-cases.js'
import { messageEndingCases } from './message-ending-cases.js'
import { expectAll, type MessageAdapter, makerOf, messageLinkOf, messagesOf, receiving } from './message-link.js'
import { type Case, expect, Trial } from './trial.js'

/** What a sender may be rid of before it is held back. */
const most = 64 * 1024 * 1024

/** The cases of an adapter with messages. */
export function messageCases(adapter: MessageAdapter): Case[] {
  const on = (name: string, body: (trial: Trial) => Promise<void>) => Trial.case(name, adapter, body)
  const make = makerOf(adapter)
  return [
    on('carries messages in order and whole, both ways at once', async (trial) => {
      const { near, far } = await messageLinkOf(trial, adapter)
      const sent = messagesOf(adapter, 1000, (i) => (i * i) % 5000)
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
      const { near, far } = await messageLinkOf(trial, adapter)
      const sent = messagesOf(adapter, 3, () => 4 * 1024 * 1024)
      for (const message of sent) await trial.within('the sending', near.end.send(message))
      await trial.until('large messages', () => far.messages.length === sent.length)
      expectAll(far.messages, sent)
    }),
    on('refuses a message over the limit at once', async (trial) => {
      const { near, streams } = await messageLinkOf(trial, adapter)
      const { maxPayload } = streams[0].limits
      await trial.rejection('a message over maxPayload', async () => near.end.send(make(0, maxPayload + 1, [])))
    }),
    on('holds the sender back while the peer does not read, where it has back-pressure', async (trial) => {
      const [stream, peer] = trial.pair()
      const { end } = await receiving(adapter, stream)
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
      const far = await receiving(adapter, peer)
      await trial.within('the sending, once the peer reads', sending)
      await trial.until('all messages', () => far.messages.length === sent.length)
      expectAll(far.messages, sent)
      await far.end.close()
    }),
    ...messageEndingCases(adapter, on),
    ...messageDescriptorCases(adapter, on),
    ...hostileCases(adapter, async (_trial, stream) => (await receiving(adapter, stream)).end, {
      begin: (end) => [end.send(make(1, 20, []))],
    }),
  ]
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
