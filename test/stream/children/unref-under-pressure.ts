/**
 * Waits for room in its full descriptor table, for ever, with a stream that keeps no process alive: unref-under-pressure.ts
 * before|during, which is when the stream is unref'd. Prints a line once it waits; then nothing is left to keep it.
 */
import { openSync } from 'node:fs'
import { Descriptor, pair } from '../../../src/stream/index.js'

const filler: Descriptor[] = []
const [left, right] = pair({ descriptorHeadroom: 8, pressureTimeout: 0x7fff_ffff })
if (process.argv[2] === 'before') right.unref()
left.unref()
try {
  for (;;) filler.push(Descriptor.own(openSync('/dev/null', 'r')))
} catch {
  // EMFILE: the table is full.
}
right.on('frame', () => {})
let waits = 0
right.on('pressure', () => {
  waits++
  if (waits > 1) return
  if (process.argv[2] === 'during') right.unref()
  process.stdout.write(`${JSON.stringify({ waits })}\n`)
})
left.send(Buffer.from('x'))
// Until the first look, which an unref'd stream does not wait for.
const look = () => waits === 0 && setImmediate(look)
look()
