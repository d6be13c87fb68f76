/** An abnormal end reaches whoever looks; one that nobody looks at is a single process warning, never more. */
import { expect, test } from 'vitest'
import { startChild } from '../transport/children/run.js'

async function streamsThatEnd(...ways: string[]): Promise<unknown> {
  const child = startChild('../../stream/children/unobserved-ends.ts', ways)
  const answer = await child.answer()
  expect(await child.end()).toBe(0)
  return answer
}

test('nobody looks: one warning, for however many streams, and the process goes on', async () => {
  expect(await streamsThatEnd('nobody', 'again', 'again')).toEqual({
    warnings: ['PILLION_UNOBSERVED_ERROR'],
    seen: [],
  })
})

test('whoever looks is told, and there is no warning', async () => {
  const ways = ['event', 'closed', 'iterator', 'flush', 'right after']
  expect(await streamsThatEnd(...ways)).toEqual({
    warnings: [],
    seen: ['event: why', 'closed: why', 'iterator: why', 'flush: why', 'right after: why'],
  })
})

test('`closed` makes no unhandled rejection by itself', async () => {
  expect(await streamsThatEnd('without a catch')).toEqual({ warnings: [], seen: [] })
})
