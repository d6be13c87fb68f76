/**
 * Calls that have no proper answer: nobody waits for it, or the other end serves nothing.
 */
import { isDeepStrictEqual } from 'node:util'
import { type CallAdapter, expectSame, linkOf, serviceFor } from './call-link.js'
import { type Case, expect, type On } from './trial.js'

export function unansweredCallCases(adapter: CallAdapter, on: On): Case[] {
  return [...untold(adapter, on), ...unserved(adapter, on)]
}

function untold(adapter: CallAdapter, on: On): Case[] {
  return [
    on('makes calls that nobody awaits in order, where it has such calls', async (trial) => {
      const { near, noted } = await linkOf(trial, adapter)
      if (near.tell === undefined) return
      const numbers = Array.from({ length: 1000 }, (_, i) => i)
      for (const number of numbers) near.tell('note', number)
      near.tell('fail', 'nobody is told')
      expectSame(await trial.within('a call behind them', near.call('echo', 1)), 1, 'a call behind them')
      await trial.until('all calls', () => noted.length === numbers.length)
      expect(isDeepStrictEqual(noted, numbers), 'the calls came in another order')
    }),
    on('leaves nothing open of calls that nobody awaits', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      if (near.tell === undefined || adapter.descriptors === 'refused') return
      const file = trial.file(1)
      for (let i = 0; i < 1500; i++) {
        near.tell(i % 3 === 0 ? 'ignore' : 'numbersOf', [file])
        if (i % 50 === 0) await trial.within('a call between them', near.call('echo', i))
      }
      expectSame(await trial.within('a call behind them', near.call('echo', 1)), 1, 'a call behind them')
      await trial.until(
        () => `${trial.openFiles - 1} descriptors of calls that nobody awaits stay open`,
        () => trial.openFiles === 1,
      )
    }),
    on('fails calls that nobody awaits in silence when the peer is lost', async (trial) => {
      const [stream, peer] = trial.pair()
      const near = await adapter.attach(stream, serviceFor(trial, adapter))
      for (let i = 0; i < 30; i++) near.tell?.('echo', 'x'.repeat(20_000))
      peer.destroy()
      await trial.rejection('a call behind them', () => near.call('echo', 1))
      near.tell?.('note', 1)
    }),
  ]
}

function unserved(adapter: CallAdapter, on: On): Case[] {
  const { attachClient } = adapter
  if (attachClient === undefined) return []
  return [
    on('answers calls to an end that serves nothing with an error, and leaves nothing open of them', async (trial) => {
      const streams = trial.pair()
      const near = await adapter.attach(streams[0], serviceFor(trial, adapter))
      const far = await attachClient(streams[1])
      const file = trial.file(1)
      const args = adapter.descriptors === 'carried' ? [[file]] : [1]
      const calls = Array.from({ length: 100 }, () => Promise.resolve(near.call('ignore', ...args)))
      for (const call of calls) call.catch(() => {}) // looked at below
      for (const call of calls) await trial.rejection('a call to nothing', () => call)
      expectSame(await trial.within('a call from there', far.call('echo', 1)), 1, 'a call from there')
      await trial.until(
        () => `${trial.openFiles - 1} descriptors of calls to nothing stay open`,
        () => trial.openFiles === 1,
      )
    }),
  ]
}
