/** Frames of one length, long to copy but within the slab: as many are received at a time as end in it. */
import { beforeEach, describe, expect, test } from 'vitest'
import { needs } from '../support/needs.js'
import { pattern, readinesses, same, streamPair } from '../support/streams.js'

const KiB = 1024

/** The frames' indexes as they were handed over, those of a batch together, and whether each lay in the slab. */
async function receive(sizes: readonly number[], readiness: 'level' | 'edge') {
  const [a, b] = streamPair({ readiness, sendBuffer: 2048 * KiB })
  const batches: { frames: number; slab: ArrayBufferLike }[] = []
  let at = 0
  const done = new Promise<void>((resolve) => {
    b.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++, at++) {
        expect(same(batch.bytes.subarray(batch.start(i), batch.end(i)), pattern(sizes[at]!, at))).toBe(true)
      }
      batches.push({ frames: batch.length, slab: batch.bytes.buffer })
      if (at === sizes.length) resolve()
    })
    b.pause()
  })
  for (const [i, size] of sizes.entries()) a.send(pattern(size, i))
  b.resume() // so that all that the kernel takes is there at once
  await done
  return batches
}

// For a send buffer that takes all of it at once.
beforeEach((context) => needs(context, 'root'))

describe.each(readinesses)('with readiness %s', (readiness) => {
  test.each([33, 50, 64, 100, 127])('of %i KiB none but the first that does not fit is copied', async (size) => {
    const each = size * KiB + 8
    const fit = Math.floor((256 * KiB) / each)
    const batches = await receive(Array(fit * 3 + 1).fill(size * KiB), readiness)
    // Nothing is known of the first; what of it ends in the slab's middle has memory of its own.
    expect(batches.map(({ frames }) => frames)).toEqual([fit, 1, fit, fit])
    expect(new Set(batches.map(({ slab }) => slab)).size).toBe(2)
  })

  test('of changing lengths all come', async () => {
    const sizes = Array.from({ length: 40 }, (_, i) => [40, 100, 3, 64, 200, 0, 33][i % 7]! * KiB)
    const batches = await receive(sizes, readiness)
    expect(batches.reduce((sum, { frames }) => sum + frames, 0)).toBe(sizes.length)
  })
})
