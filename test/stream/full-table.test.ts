/** A full descriptor table: what the opening call tells, and what does not keep the process alive. */
import { expect, onTestFinished, test } from 'vitest'
import { startChild } from '../transport/children/run.js'

test('no room for the edge-triggered set is told by the call that opens the stream, which leaves nothing open', async () => {
  const child = startChild('../../stream/children/crowded-edge.ts', [], { limit: 100 })
  onTestFinished(() => void child.process.kill('SIGKILL'))
  const full = { code: 'EMFILE', syscall: 'epoll_create1' }
  expect(await child.answer()).toEqual({ tried: 'pair', outcome: { ...full, leaked: 0 } })
  expect(await child.answer()).toEqual({ tried: 'adopt, which is still the caller’s', outcome: { ...full, leaked: 0 } })
  expect(await child.answer()).toEqual({ tried: 'adopt with room', outcome: 'done' })
  expect(await child.end()).toBe(0)
})

test.each(['before', 'during'])(
  'the timers of a stream that was unref’d %s the wait keep no process alive',
  async (when) => {
    const child = startChild('../../stream/children/unref-under-pressure.ts', [when], { limit: 100 })
    onTestFinished(() => void child.process.kill('SIGKILL'))
    expect(await child.answer()).toEqual({ waits: 1 })
    expect(await child.end()).toBe(0)
  },
)
