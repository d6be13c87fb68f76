/**
 * Opens streams with readiness 'edge' while its descriptor table has no room for the set that the first of a thread opens
 * besides. Prints what became of each try.
 */
import { openSync } from 'node:fs'
import { adopt, Descriptor, pair } from '../../../src/stream/index.js'
import { adoptOwned } from '../../../src/transport/descriptor.js'
import { pairUnix } from '../../../src/transport/index.js'
import { binding } from '../../../src/transport/native.js'

const sockets = pairUnix().map(adoptOwned)
const filler: Descriptor[] = []
try {
  for (;;) filler.push(Descriptor.own(openSync('/dev/null', 'r')))
} catch {
  // EMFILE: the table is full.
}

function answer(tried: string, attempt: () => void): void {
  const owned = binding.ledgerCount()
  let outcome: unknown = 'done'
  try {
    attempt()
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    outcome = { code, syscall, leaked: binding.ledgerCount() - owned }
  }
  process.stdout.write(`${JSON.stringify({ tried, outcome })}\n`)
}

answer('pair', () => pair({ readiness: 'edge' }))
answer('adopt, which is still the caller’s', () => adopt(sockets[0] as Descriptor, { readiness: 'edge' }))
filler.pop()?.close()
answer('adopt with room', () => adopt(sockets[0] as Descriptor, { readiness: 'edge' }).destroy())
for (const descriptor of [...filler, ...sockets]) descriptor.close()
