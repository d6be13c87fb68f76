/** A program may put fakes in the place of all timers, ticks and clocks: what goes through the kernel is not theirs. */
import { expect, test } from 'vitest'
import { startChild } from '../transport/children/run.js'

test('frames and calls go on while every timer, tick and clock of the program stands still', async () => {
  const child = startChild('../../stream/children/frozen-clock.ts')
  expect(await child.answer()).toEqual({ frames: 10_008, echoed: 'there', numbers: 10 })
  expect(await child.end()).toBe(0)
})
