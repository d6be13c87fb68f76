/**
 * Too many descriptors in flight (ETOOMANYREFS, docs/kernel.md), as a user who is not exempt from it: the frame waits at
 * the head of the queue, on a timer, up to a bound.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { answersOf } from '../children/run.js'
import { needs } from '../support/needs.js'
import { readinesses } from '../support/streams.js'

interface Answer {
  readonly seen: readonly unknown[]
  readonly errors: readonly unknown[]
  readonly leaked: number
  readonly [more: string]: unknown
}

/** The tokens that in-flight.mjs has from `start` to `end`. */
const tokens = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => (start + i) ** 2 % 10)
const frame = (payload: string, from = 0, to = 0) => ({ payload, tokens: tokens(from, to), lost: 0 })

let users = 0

async function answerOf(scenario: string, readiness: string): Promise<Answer> {
  const uid = 20_000 + (process.pid % 1000) * 32 + users++
  const [answer] = await answersOf('in-flight.mjs', [String(uid), scenario, readiness], { limit: 450 })
  return answer as Answer
}

beforeEach((context) => needs(context, 'root'))

describe.each(readinesses)('with %s readiness', (readiness) => {
  it('a frame over the limit waits, with all behind it, until others’ descriptors have been received', async () => {
    const { seen, framesBefore, pressures, errors, leaked } = await answerOf('waiting', readiness)

    expect(framesBefore).toBe(1)
    expect(seen).toEqual([frame('plain ahead'), frame('first', 0, 3), frame('plain behind'), frame('second', 3, 5)])
    expect((pressures as unknown[]).length).toBeGreaterThanOrEqual(4)
    for (const pressure of pressures as unknown[]) expect(pressure).toEqual(['in-flight', 'send'])
    expect({ errors, leaked }).toEqual({ errors: [], leaked: 0 })
  })

  it('past the bound, that frame alone is refused with a TimeoutError, and the next ones go', async () => {
    const { seen, firstFlush, refused, count, errors, leaked } = await answerOf('bound', readiness)
    const timeout = {
      name: 'TimeoutError',
      code: 'ERR_PILLION_TIMEOUT',
      origin: 'system',
      message: expect.stringContaining('ETOOMANYREFS'),
    }

    expect(firstFlush).toEqual(timeout)
    expect(refused).toEqual([timeout, timeout])
    expect(count).toBe(2)
    expect(seen).toEqual([frame('plain'), frame('may go', 5, 7)])
    expect({ errors, leaked }).toEqual({ errors: [], leaked: 0 })
  })

  it('the bound is on the wait of all together, and begins anew once something has gone', async () => {
    const { seen, waits, refused, before, after, errors, leaked } = await answerOf('together', readiness)

    expect(seen).toEqual([frame('plain')])
    const [first, ...others] = waits as number[]
    expect(first).toBeGreaterThan(1)
    expect(others).toEqual([first, first, after])
    expect(refused).toHaveLength(4)
    expect(after).toBeGreaterThan(before as number)
    expect({ errors, leaked }).toEqual({ errors: [], leaked: 0 })
  })

  it('the later sets of a large frame wait as well, and go once its first one has been received', async () => {
    const { seen, waited, errors, leaked } = await answerOf('large', readiness)

    expect(seen).toEqual([frame('large', 0, 300)])
    expect(waited).toBe(true)
    expect({ errors, leaked }).toEqual({ errors: [], leaked: 0 })
  })

  it('past the bound, a frame of which a part has gone cannot be refused alone and ends the stream', async () => {
    const { flush, destroyed, errors, leaked } = await answerOf('begun', readiness)
    const timeout = expect.objectContaining({ name: 'TimeoutError', code: 'ERR_PILLION_TIMEOUT' })

    expect(flush).toEqual(timeout)
    expect(destroyed).toBe(true)
    expect(errors).toEqual([timeout])
    expect(leaked).toBe(0)
  })
})
