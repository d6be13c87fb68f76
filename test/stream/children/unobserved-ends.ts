/**
 * Streams that end abnormally, in a process that would end by an unhandled rejection or error. For each way of looking,
 * named on the command line, a stream is destroyed by an error; then, by `again`, once more.
 * Prints the warnings' codes and what was seen.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { type FrameStream, pair } from '../../../src/stream/index.js'

const warnings: unknown[] = []
process.on('warning', (warning) => warnings.push((warning as NodeJS.ErrnoException).code))
const seen: string[] = []
const see = (what: string) => (error: Error) => void seen.push(`${what}: ${error.message}`)

const looks: Record<string, (stream: FrameStream) => unknown> = {
  nobody: () => {},
  again: () => {},
  'without a catch': (stream) => void stream.closed,
  event: (stream) => stream.on('error', see('event')),
  closed: (stream) => stream.closed.catch(see('closed')),
  iterator: (stream) => stream[Symbol.asyncIterator]().next().catch(see('iterator')),
  flush: (stream) => {
    while (stream.send(new Uint8Array(16_000)));
    return stream.flush().catch(see('flush'))
  },
  // It is looked at behind the call in which it ended, but in the same turn.
  'right after': (stream) => queueMicrotask(() => stream.closed.catch(see('right after'))),
}

for (const way of process.argv.slice(2)) {
  const [a, b] = pair()
  void looks[way]?.(a)
  a.destroy(new Error('why'))
  await turn()
  b.destroy()
}
await turn()
process.stdout.write(`${JSON.stringify({ warnings, seen })}\n`)
