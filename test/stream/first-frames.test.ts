/**
 * The first frames of a process: node:worker_threads, by which a slab is guarded, is loaded behind them.
 */
import { once } from 'node:events'
import { expect, it, onTestFinished } from 'vitest'
import { type Frame, pair } from '../../src/stream/index.js'
import { receiveSlab, slabsAreGuarded } from '../../src/transport/receive-slab.js'

it('the first frames that stay have memory of their own, those behind them the guarded slab', async () => {
  const [mine, theirs] = pair()
  onTestFinished(() => {
    mine.destroy()
    theirs.destroy()
  })
  const frames: Frame[] = []
  const came = new EventTarget()
  mine.on('frame', (frame) => {
    frames.push(frame)
    came.dispatchEvent(new Event('frame'))
  })
  for (const text of ['first', 'later']) {
    expect(slabsAreGuarded()).toBe(text === 'later')
    const { buffer } = receiveSlab()
    theirs.send(Buffer.from(text))
    await once(came, 'frame')
    await new Promise(setImmediate)
    expect(frames.at(-1)?.payload.buffer === buffer).toBe(text === 'later')
  }
  expect(frames.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['first', 'later'])
})
