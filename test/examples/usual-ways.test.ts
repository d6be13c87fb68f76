/**
 * The ways that the demo compares pillion with go wrong where they are said to, and nowhere else.
 */
import { expect, test } from 'vitest'
import { randomNumbers, schedule } from '../../examples/privilege-separation/schedule.js'
import { Counting } from '../../examples/privilege-separation/tally.js'
import { type Recording, usualWays } from '../../examples/privilege-separation/usual-ways.js'

const byCounts = 'flat queue by counts, read until EAGAIN'
const withoutCounts = 'flat queue without counts'
const firstOfRead = "all of a read's to its first message"

test('a plain frame ahead in the same read gets the descriptor, unless frames announce their counts', () => {
  const recording: Recording = {
    reads: [{ end: 20, descriptors: ['b'], drained: true }],
    frames: [
      { end: 10, named: [] },
      { end: 20, named: ['b'] },
    ],
  }

  expect(given(recording, byCounts)).toEqual([[], ['b']])
  expect(given(recording, withoutCounts)).toEqual([['b'], []])
  expect(given(recording, firstOfRead)).toEqual([['b'], []])
})

test('a set cut short makes a counted queue give the next frames the wrong ones', () => {
  const recording: Recording = {
    reads: [
      { end: 10, descriptors: ['a1'], drained: false }, // a2 was dropped by the kernel
      { end: 20, descriptors: ['b1', 'b2'], drained: true },
    ],
    frames: [
      { end: 10, named: ['a1', 'a2'] },
      { end: 20, named: ['b1', 'b2'] },
    ],
  }

  expect(given(recording, byCounts)).toEqual([['a1', 'b1'], ['b2']])
  expect(given(recording, 'flat queue by counts, one read at a time')).toEqual([['a1'], ['b1', 'b2']])
})

test('with a frame a read every way is right', () => {
  const recording: Recording = {
    reads: [
      { end: 10, descriptors: ['a'], drained: true },
      { end: 20, descriptors: [], drained: true },
      { end: 30, descriptors: ['c', 'd'], drained: true },
    ],
    frames: [
      { end: 10, named: ['a'] },
      { end: 20, named: [] },
      { end: 30, named: ['c', 'd'] },
    ],
  }

  for (const way of Object.values(usualWays)) expect(way(recording)).toEqual([['a'], [], ['c', 'd']])
})

test('the count tells the wrong ones from the missing ones', () => {
  const counting = new Counting()
  counting.frame(['a', 'b'], ['b'])
  counting.frame([], ['a'])
  counting.frame(['c'], ['c'])

  expect(counting.tally).toMatchObject({ frames: 3, descriptors: 3, misassigned: 2, lost: 1 })
})

test.each([1, 40, 5_000])(
  'the schedule meets every boundary and sends each file once by itself, for %i files',
  (files) => {
    const steps = [...schedule(files, 7)]
    const counts = new Set(steps.map((step) => step.files.length))
    const sizes = new Set(steps.filter((step) => step.files.length === 0).map((step) => step.size))

    expect([0, 1, 2, 253, 254, 300].filter((count) => !counts.has(count))).toEqual([])
    expect([0, 1, 4_096, 65_536, 1_048_575, 3_145_728].filter((size) => !sizes.has(size))).toEqual([])
    expect(steps.filter((step) => step.first).map((step) => step.files[0])).toEqual(
      Array.from({ length: files }, (_, i) => i),
    )
    expect(steps).toEqual([...schedule(files, 7)])
  },
)

test('the random numbers stay below what is asked for', () => {
  const random = randomNumbers(1)
  expect(Array.from({ length: 1_000 }, () => random(5)).filter((n) => !Number.isInteger(n) || n < 0 || n > 4)).toEqual(
    [],
  )
})

function given(recording: Recording, way: string) {
  return usualWays[way]?.(recording)
}
