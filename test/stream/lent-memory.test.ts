/** Large frames lie in the same memory one after the other, which goes once none comes any more. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { giveBack, lendMemory } from '../../src/stream/lent-memory.js'

vi.mock('../../src/event-loop.js', () => import('../support/clock-of-the-moment.js'))

const large = 16 * 1024 * 1024

describe('memory for large frames', () => {
  beforeEach(() => void vi.useFakeTimers())

  afterEach(() => {
    vi.advanceTimersByTime(10_000) // it goes
    vi.useRealTimers()
  })

  test('that was given back is lent again, to a shorter frame as well', () => {
    const first = lendMemory(100_000)
    giveBack(first)
    const second = lendMemory(60_000)
    expect(second.buffer).toBe(first.buffer)
    expect(second.length).toBe(60_000)
  })

  test('is not lent twice', () => {
    const first = lendMemory(100_000)
    giveBack(first)
    expect(lendMemory(100_000).buffer).toBe(first.buffer)
    giveBack(first)
    giveBack(first)
    expect(lendMemory(100_000).buffer).toBe(first.buffer)
    expect(lendMemory(100_000).buffer).not.toBe(first.buffer)
  })

  test('is kept where two of the longest payload by default are used in turn', () => {
    const pieces = [lendMemory(large), lendMemory(large)]
    for (const piece of pieces) giveBack(piece)
    const again = [lendMemory(large), lendMemory(large)]
    expect(new Set(again.map(({ buffer }) => buffer))).toEqual(new Set(pieces.map(({ buffer }) => buffer)))
  })

  test('stays while frames come, and goes when none has come for ten seconds', () => {
    const first = lendMemory(100_000)
    giveBack(first)
    for (let i = 0; i < 10; i++) {
      vi.advanceTimersByTime(4000)
      giveBack(lendMemory(50_000))
    }
    expect(lendMemory(100_000).buffer).toBe(first.buffer)
    giveBack(first)
    vi.advanceTimersByTime(10_000)
    expect(lendMemory(100_000).buffer).not.toBe(first.buffer)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('of others is left alone', () => {
    const own = new Uint8Array(100_000)
    giveBack(own)
    expect(lendMemory(100_000).buffer).not.toBe(own.buffer)
  })
})
