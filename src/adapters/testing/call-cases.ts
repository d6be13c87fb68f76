/**
 * What an adapter with calls has to do: answer them in order and whole, tell a call that fails from one that is pending,
 * and leave no call pending when the link ends, however it ends.
 */
import { isDeepStrictEqual } from 'node:util'
import { callDescriptorCases } from './call-descriptor-cases.js'
import { callEndingCases } from './call-ending-cases.js'
import { type CallAdapter, expectSame, linkOf, serviceFor } from './call-link.js'
import { hostileAnswerCases } from './hostile-answer-cases.js'
import { hostileCases } from './hostile-cases.js'
import { type Case, expect, Trial } from './trial.js'
import { unansweredCallCases } from './unanswered-call-cases.js'

const plainData: readonly unknown[] = [
  null,
  true,
  0,
  -1.5,
  '',
  'ä € 😀 \0',
  [],
  {},
  [[[]]],
  { a: [1, { b: 'c' }], 'no name': null, length: 3 },
]

/** The cases of an adapter with calls. */
export function callCases(adapter: CallAdapter): Case[] {
  const on = (name: string, body: (trial: Trial) => Promise<void>) => Trial.case(name, adapter, body)
  const { samples = plainData, large = 4 * 1024 * 1024 } = adapter
  return [
    on('answers each call with its own result', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      const results = await trial.within('the answers', Promise.all(samples.map((value) => near.call('echo', value))))
      for (const [i, value] of samples.entries()) expectSame(results[i], value, `sample ${i}`)
    }),
    on('calls in order, a thousand without waiting', async (trial) => {
      const { near, noted } = await linkOf(trial, adapter)
      const numbers = Array.from({ length: 1000 }, (_, i) => i)
      const results = await trial.within('the answers', Promise.all(numbers.map((n) => near.call('note', n))))
      expect(isDeepStrictEqual(noted, numbers), `the calls came in the order ${differing(noted)}`)
      expect(isDeepStrictEqual(results, numbers), `the results came in the order ${differing(results)}`)
    }),
    on('calls both ways at once', async (trial) => {
      const { near, far } = await linkOf(trial, adapter)
      const calls = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? near : far).call('echo', i))
      const results = await trial.within('the answers', Promise.all(calls))
      expect(isDeepStrictEqual(results, [...calls.keys()]), 'an answer went to another call')
    }),
    on('keeps messages apart, of every size', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      const texts = Array.from({ length: 300 }, (_, i) => text(i * i * 3))
      const results = await trial.within('the answers', Promise.all(texts.map((each) => near.call('echo', each))))
      for (const [i, each] of texts.entries()) expectSame(results[i], each, `a text of ${each.length} bytes`)
    }),
    on('carries what is large', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      expectSame(await trial.within('the answer', near.call('echo', text(large))), text(large), 'a large text')
    }),
    on('fails a call that is over the limit, and leaves none pending', async (trial) => {
      const { near, streams } = await linkOf(trial, adapter)
      await trial.rejection('a call over maxPayload', () => near.call('echo', text(streams[0].limits.maxPayload + 1)))
      const after = Promise.resolve(near.call('echo', 1)).catch((error: unknown) => error)
      const outcome = await trial.within('a call behind one over maxPayload', after)
      expect(outcome === 1 || streams[0].destroyed, 'a call fails behind one over maxPayload, on a link that is open')
    }),
    on('passes on what a method throws', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      const error = await trial.rejection('a failing call', () => near.call('fail', 'as it should'))
      expect(error.message.includes('as it should'), `the message of an error has become ${error.message}`)
      expectSame(await trial.within('a call after it', near.call('echo', 1)), 1, 'a call after one that failed')
    }),
    on('holds calls for a peer that reads later, and loses none', async (trial) => {
      const [nearStream, farStream] = trial.pair()
      const near = await adapter.attach(nearStream, serviceFor(trial, adapter))
      const calls = Array.from({ length: 300 }, (_, i) => near.call('echo', `${i} ${text(32 * 1024)}`))
      await adapter.attach(farStream, serviceFor(trial, adapter))
      const results = await trial.within('the answers', Promise.all(calls))
      for (const [i, result] of results.entries()) expectSame(result, `${i} ${text(32 * 1024)}`, `call ${i}`)
    }),
    ...callEndingCases(adapter, on),
    ...unansweredCallCases(adapter, on),
    ...callDescriptorCases(adapter, on),
    ...hostileCases(adapter, (trial, stream) => adapter.attach(stream, serviceFor(trial, adapter)), {
      begin: (end) => [end.call('echo', { a: ['text', 1] }), end.call('hang')],
    }),
    ...hostileAnswerCases(adapter, on),
    on("reaches no name of a service's prototype", async (trial) => {
      const { near } = await linkOf(trial, adapter)
      for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', '__defineGetter__', 'valueOf']) {
        await trial.rejection(`a call of ${name}`, () => near.call(name, 'x'))
      }
      expectSame(await trial.within('a call after them', near.call('echo', 1)), 1, 'a call after those')
    }),
  ]
}

/** The neighbourhood of the first that is out of order. */
function differing(numbers: readonly unknown[]): string {
  const at = numbers.findIndex((number, i) => number !== i)
  return at < 0 ? `0 to ${numbers.length - 1}` : `…${numbers.slice(Math.max(0, at - 2), at + 3).join()}…`
}

function text(length: number): string {
  return 'pillion '.repeat(Math.ceil(length / 8)).slice(0, length)
}
