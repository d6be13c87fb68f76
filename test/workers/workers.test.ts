/**
 * The end of a thread or a process at any moment: busy workers are opened and ended in a loop, and processes end while
 * everything is under way. All in child processes, whose exit code and descriptors say how it went.
 */
import { expect, it } from 'vitest'
import { answersOf, type Outcome, runChild } from '../children/run.js'

const rounds = 5

it.each([
  { end: 'terminate', said: /^(busy|started)$/ },
  { end: 'terminate under pressure', said: /^busy$/, limit: 300 },
  { end: 'exit', said: /^busy$/ },
  { end: 'exit in a callback', said: /^busy$/ },
  { end: 'throw', said: /^on purpose$/ },
  { end: 'throw in a callback', said: /^on purpose$/ },
])('a worker that ends by $end leaves no descriptor, and other threads’ streams alone', async (example) => {
  const { end, said, ...options } = example
  const [answer] = await answersOf('workers.mjs', [end, String(rounds)], options)

  expect(answer).toEqual({
    said: Array.from({ length: rounds }, () => expect.stringMatching(said)),
    grown: 0,
    payload: 'still here',
  })
})

it.each([
  { when: 'now', readiness: 'level' },
  { when: 'in a frame event', readiness: 'level' },
  { when: 'in a frame event', readiness: 'edge' },
  { when: 'in a batch', readiness: 'edge' },
  { when: 'while workers end', readiness: 'level' },
  { when: 'while workers end', readiness: 'edge' },
  { when: 'by an exception in a frame event', readiness: 'level' },
])('a process that exits $when, its workers busy, ends with its own exit code ($readiness)', async (example) => {
  const outcome = await endOf([example.readiness, example.when, '2'])

  expect(outcome).toEqual({ lines: [], code: 7, signal: null, stderr: '' })
})

it('a process that is killed by a signal, its workers busy, dies of that signal', async () => {
  const outcome = await endOf(['level', 'by a signal', '1'])

  expect(outcome).toMatchObject({ signal: 'SIGTERM', stderr: '' })
})

// Newer than Node 20.
const transfers = 'transfer' in ArrayBuffer.prototype ? ['ArrayBuffer.prototype.transfer'] : []

it.each(['a byte stream', ...transfers])('what came by memfd outlives its worker, passed on by %s', async (how) => {
  expect(await answersOf('memory-passed-on.mjs', [how])).toEqual([{ length: 1024 * 1024, sevens: true }])
})

/**
 * How exit.mjs ends. Node forgets a worker's isolate before V8 is done with it, so that a compilation in the background may ask for
 * it and abort the process, seldom, and whatever the worker runs (v8/node#208 is the mend of another such asker):
 * such an end, with nothing of the addon on its stack, says nothing, and another one is looked at.
 */
async function endOf(args: readonly string[]): Promise<Outcome> {
  const first = await runChild('exit.mjs', args)
  const { signal, stderr } = first
  const isNodes =
    signal === 'SIGABRT' && stderr.includes('NodePlatform::ForIsolate') && !stderr.includes('pillion.node')
  return isNodes ? runChild('exit.mjs', args) : first
}
