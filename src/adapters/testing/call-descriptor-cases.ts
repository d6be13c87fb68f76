/**
 * Descriptors in calls: a thousand, none misassigned or leaked; or, where an adapter cannot carry them, an error at the
 * call that says so.
 */
import { isDeepStrictEqual } from 'node:util'
import { type CallAdapter, linkOf, serviceFor } from './call-link.js'
import { numbersIn } from './numbered-files.js'
import { type Case, expect, type On, type Trial } from './trial.js'

export function callDescriptorCases(adapter: CallAdapter, on: On): Case[] {
  return adapter.descriptors === 'carried' ? carried(adapter, on) : refused(adapter, on)
}

function carried(adapter: CallAdapter, on: On): Case[] {
  return [
    on('carries a thousand descriptors in calls, each to its own', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      for (let round = 0; round < 10; round++) {
        const calls = Array.from({ length: 20 }, (_, i) => callWithFiles(trial, near, round * 100, i))
        const numbers = await trial.within('the answers', Promise.all(calls))
        const expected = Array.from({ length: 100 }, (_, i) => round * 100 + i)
        expect(isDeepStrictEqual(numbers.flat(), expected), `the descriptors came out as ${numbers.flat().join()}`)
      }
    }),
    on('carries descriptors in eleven hundred calls at once', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      const files = Array.from({ length: 11 }, (_, i) => trial.file(i))
      const calls = Array.from({ length: 1100 }, (_, i) => near.call('numbersOf', [files[i % 11]]))
      const numbers = (await trial.within('the answers', Promise.all(calls))) as number[][]
      const wrong = numbers.findIndex((found, i) => !isDeepStrictEqual(found, [i % 11]))
      expect(wrong < 0, `the descriptor of call ${wrong} came out as ${numbers[wrong]?.join()}`)
    }),
    on('carries descriptors in results', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      const lists = Array.from({ length: 20 }, (_, i) => Array.from({ length: i }, (_, k) => i * 100 + k))
      const results = await trial.within('the answers', Promise.all(lists.map((list) => near.call('files', list))))
      for (const [i, result] of results.entries()) {
        const numbers = numbersIn(result)
        expect(isDeepStrictEqual(numbers, lists[i]), `the descriptors of result ${i} came out as ${numbers.join()}`)
      }
    }),
    on('leaves the caller its own descriptor', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      const file = trial.file(7)
      await trial.within('the answer', near.call('numbersOf', file))
      expect(!file.closed, 'the descriptor of an argument was closed or taken')
      expect(numbersIn(file)[0] === 7, "the caller's descriptor has become another file")
    }),
    on('closes the descriptors that nobody took', async (trial) => {
      const { near, far } = await linkOf(trial, adapter)
      for (let i = 0; i < 50; i++) {
        const file = trial.file(i)
        await trial.within('the answer', near.call('ignore', [file]))
        file.close()
      }
      await trial.within('its closing', Promise.all([near.close(), far.close()]))
      await trial.until(
        () => `${trial.openFiles} descriptors that nobody took stay open`,
        () => trial.openFiles === 0,
      )
    }),
    on('closes what is under way when the peer is lost', async (trial) => {
      const [nearStream, farStream] = trial.pair()
      const near = await adapter.attach(nearStream, serviceFor(trial, adapter))
      const files = Array.from({ length: 50 }, (_, i) => trial.file(i))
      const calls = files.map((file) => Promise.resolve(near.call('numbersOf', file)))
      for (const call of calls) call.catch(() => {}) // looked at below
      farStream.destroy()
      for (const call of calls) await trial.rejection('a call under way', () => call)
    }),
    on('closes the descriptors of a call that cannot be sent', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      const file = trial.file(1)
      file.close()
      const files = [trial.file(2), file]
      await trial.rejection('a call with a closed descriptor', () => near.call('ignore', files))
      expect(trial.openFiles === 1, `${trial.openFiles - 1} duplicates of a call that failed stay open`)
    }),
  ]
}

/** The i-th of twenty calls has i descriptors, up to nine and down again, and the last has ten: a hundred in all. */
async function callWithFiles(
  trial: Trial,
  near: { call(method: string, ...args: readonly unknown[]): unknown },
  first: number,
  i: number,
): Promise<number[]> {
  const sizes = Array.from({ length: 20 }, (_, k) => (k === 19 ? 10 : Math.min(k, 19 - k)))
  const from = first + sizes.slice(0, i).reduce((sum, size) => sum + size, 0)
  const files = Array.from({ length: sizes[i]! }, (_, k) => trial.file(from + k))
  const numbers = (await near.call('numbersOf', files)) as number[]
  for (const file of files) file.close()
  return numbers
}

function refused(adapter: CallAdapter, on: On): Case[] {
  return [
    on('refuses a descriptor at the call, and goes on', async (trial) => {
      const { near } = await linkOf(trial, adapter)
      const file = trial.file(7)
      for (const value of [file, [file], { deep: { file } }]) {
        const error = await trial.rejection('a call with a descriptor', () => near.call('ignore', value))
        expect(/descriptor/i.test(error.message), `the error does not speak of descriptors: ${error.message}`)
      }
      expect(!file.closed, 'the refused descriptor was closed or taken')
      expect((await trial.within('a call after it', near.call('echo', 1))) === 1, 'a call after a refused one failed')
    }),
  ]
}
