/**
 * Descriptors in messages: each to its own, one message at a time and many at once; or, where an adapter cannot carry them,
 * an error at `send` that says so.
 */
import { isDeepStrictEqual } from 'node:util'
import { type MessageAdapter, makerOf, messageLinkOf, receiving } from './message-link.js'
import { numbersIn } from './numbered-files.js'
import { type Case, expect, type On } from './trial.js'

export function messageDescriptorCases(adapter: MessageAdapter, on: On): Case[] {
  return adapter.descriptors === 'carried' ? carried(adapter, on) : refused(adapter, on)
}

function carried(adapter: MessageAdapter, on: On): Case[] {
  const make = makerOf(adapter)
  return [
    on('carries a thousand descriptors, each to its own message', async (trial) => {
      const { near, far } = await messageLinkOf(trial, adapter)
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
    on('carries a thousand descriptors, hundreds of them at once, each to its own message', async (trial) => {
      const { near, far } = await messageLinkOf(trial, adapter)
      for (let round = 0; round < 4; round++) {
        const lists = Array.from({ length: 100 }, (_, i) =>
          Array.from({ length: i % 6 }, (_, k) => round * 600 + i * 6 + k),
        )
        for (const [i, list] of lists.entries()) {
          const files = list.map((number) => trial.file(number))
          await near.end.send(make(i, (i * i) % 3000, files))
          for (const file of files) file.close()
        }
        await trial.until('all messages', () => far.messages.length === lists.length)
        const found = far.messages.splice(0).map(numbersIn)
        const wrong = lists.findIndex((list, i) => !isDeepStrictEqual(found[i], list))
        expect(wrong < 0, `the descriptors of message ${wrong} came out as ${found[wrong]?.join()}`)
      }
    }),
    on('closes what is under way when the peer is lost', async (trial) => {
      const [stream, peer] = trial.pair()
      const { end } = await receiving(adapter, stream)
      for (let i = 0; i < 50; i++) await end.send(make(i, 10, [trial.file(i)]))
      peer.destroy()
      await trial.allClosed()
      await end.close()
    }),
  ]
}

function refused(adapter: MessageAdapter, on: On): Case[] {
  const make = makerOf(adapter)
  return [
    on('refuses a descriptor at the call, and goes on', async (trial) => {
      const { near, far } = await messageLinkOf(trial, adapter)
      const file = trial.file(7)
      const error = await trial.rejection('a message with a descriptor', async () => near.end.send(make(0, 10, [file])))
      expect(/descriptor/i.test(error.message), `the error does not speak of descriptors: ${error.message}`)
      expect(!file.closed, 'the refused descriptor was closed or taken')
      await near.end.send(make(1, 10, []))
      await trial.until('the next message', () => far.messages.length === 1)
    }),
  ]
}
