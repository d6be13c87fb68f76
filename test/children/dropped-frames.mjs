/**
 * Receives frames and keeps them, until 4 MiB of slabs are full, then drops all: dropped-frames.mjs WARM ROUNDS. Answers with the
 * pages that were faulted in by ROUNDS such rounds, behind WARM that do not count.
 */
import { pair } from 'pillion'
import { answer } from './table.mjs'

const [warm, rounds] = process.argv.slice(2).map(Number)
const payload = new Uint8Array(1016) // with its header a kilobyte
const together = 256

const [left, right] = pair()
const frames = right[Symbol.asyncIterator]()

async function fillAndDrop(count) {
  for (let round = 0; round < count; round++) {
    const kept = []
    while (kept.length < 16 * together) {
      for (let i = 0; i < together; i++) left.send(payload)
      for (let i = 0; i < together; i++) kept.push(await frames.next())
    }
    kept.length = 0
    globalThis.gc()
  }
}

await fillAndDrop(warm)
const before = process.resourceUsage().minorPageFault
await fillAndDrop(rounds)
answer({ faults: process.resourceUsage().minorPageFault - before })
left.destroy()
right.destroy()
