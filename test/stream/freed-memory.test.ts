/** Memory of frames that are dropped is used again, not given back to the kernel and faulted in anew. */
import { expect, it } from 'vitest'
import { answersOf } from '../children/run.js'

const rounds = 20

/** In each round 16 slabs of 64 pages. */
const pages = rounds * 16 * 64

it('slabs of frames that were kept and dropped lie in pages that the process has', async () => {
  const [answer] = await answersOf('dropped-frames.mjs', ['10', String(rounds)])

  expect((answer as { faults: number }).faults).toBeLessThan(pages / 16)
})
