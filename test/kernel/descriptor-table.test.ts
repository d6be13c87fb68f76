/**
 * A full descriptor table (docs/kernel.md fact 9), made so in child processes by a low limit: what is lost when nothing
 * is kept free, and that with headroom nothing is.
 */
import { describe, expect, it } from 'vitest'
import { answersOf } from '../children/run.js'
import { readinesses } from '../support/streams.js'

const range = (count: number) => Array.from({ length: count }, (_, i) => i)
const frame = (payload: string, tokens: readonly number[] = [], lost = 0) => ({ payload, tokens, lost })

describe.each(readinesses)('with %s readiness', (readiness) => {
  it('without headroom, a set finds room up to any place: the frame has a prefix and says how many are lost', async () => {
    const count = 6
    const places = range(count + 1)
    const args = ['losing', readiness, String(count), JSON.stringify(places)]

    expect(await answersOf('full-table.mjs', args, { limit: 64 })).toEqual(
      places.map((free) => ({
        free,
        seen: [
          frame('short', range(free), count - free),
          frame('plain'),
          frame('after', range(free)),
          frame('whole', range(count)),
        ],
        lost: count - free,
        leaked: 0,
      })),
    )
  })

  it('without headroom, so it does across the sets of a large frame', async () => {
    const count = 300
    const places = [0, 1, 100, 252, 253, 254, 299, 300]
    const args = ['losing', readiness, String(count), JSON.stringify(places)]

    expect(await answersOf('full-table.mjs', args, { limit: 1000 })).toEqual(
      places.map((free) => ({
        free,
        seen: [
          frame('short', range(free), count - free),
          frame('plain'),
          frame('after', range(free)),
          frame('whole', range(count)),
        ],
        lost: count - free,
        leaked: 0,
      })),
    )
  })

  it('with headroom, receiving waits for places, tells of it, and loses nothing', async () => {
    const [{ pressures, seen, stats }] = (await answersOf('full-table.mjs', ['waiting', readiness], {
      limit: 200,
    })) as [{ pressures: string[][]; seen: unknown[]; stats: number }]

    expect(seen).toEqual([frame('ahead'), frame('first', range(20)), frame('second', range(20).slice(5))])
    expect(pressures.length).toBeGreaterThanOrEqual(3)
    expect(stats).toBe(pressures.length)
    for (const pressure of pressures) expect(pressure).toEqual(['descriptor-table', 'receive'])
  })

  it('with headroom, a stream on which nothing comes does not wait: its bound begins with what comes', async () => {
    const [answer] = (await answersOf('full-table.mjs', ['idling', readiness], { limit: 300 })) as [
      { idleWaits: number; waits: number; seen: unknown[] },
    ]

    expect(answer.idleWaits).toBe(0)
    expect(answer.waits).toBeGreaterThanOrEqual(2)
    expect(answer.seen).toEqual([frame('short', range(40)), frame('whole', range(40)), frame('held', range(20))])
  })

  it('with headroom, the end of a stream is seen at once', async () => {
    expect(await answersOf('full-table.mjs', ['ending', readiness], { limit: 200 })).toEqual([
      { ended: true, pressures: 0 },
    ])
  })

  it('past the bound, it receives all the same, and counts what that has cost', async () => {
    const [answer] = (await answersOf('full-table.mjs', ['risking', readiness], { limit: 200 })) as [
      { seen: unknown[]; waitsBefore: number; waitsAfter: number },
    ]

    expect(answer.seen).toEqual([frame('short', range(10), 10), frame('whole', range(20)), frame('later', range(20))])
    expect(answer.waitsBefore).toBeGreaterThan(1)
    expect(answer.waitsAfter).toBeGreaterThanOrEqual(1)
  })
})

it('a server with a full table leaves its connections in the backlog until there is room', async () => {
  expect(await answersOf('full-table.mjs', ['accepting'], { limit: 64 })).toEqual([
    { pressures: ['EMFILE', 'EMFILE'], connections: ['hello', 'hello'] },
  ])
})
