/**
 * Receives payloads that travel in memfds while its descriptor table has no place, one, and room enough.
 * Prints for each frame: the payload's length, the descriptors that came, how many were lost.
 */
import { openSync } from 'node:fs'
import { Descriptor, pair } from '../../../src/stream/index.js'

const [a, b] = pair({ memfdFrom: 100, descriptorHeadroom: 0 })
const frames = b[Symbol.asyncIterator]()
const seen: unknown[] = []
for (const places of [0, 1, 2]) {
  b.pause() // nothing is received before the table is as it shall be
  a.send(new Uint8Array(1000), [Descriptor.memfd(1)], { transfer: true })
  a.send(new Uint8Array(10))
  await a.flush()
  const crowd = await fillTable()
  for (const one of crowd.splice(0, places)) one.close()
  b.resume()
  for (let i = 0; i < 2; i++) {
    const { value: frame } = await frames.next()
    seen.push([frame?.payload.length, frame?.descriptors.length, frame?.lost])
    frame?.[Symbol.dispose]()
  }
  for (const one of crowd) one.close()
}
await a.end()
await b.end()
process.stdout.write(`${JSON.stringify(seen)}\n`)

/** Everything that can be opened, also what others in this process still close in the turns that follow. */
async function fillTable(): Promise<Descriptor[]> {
  const crowd: Descriptor[] = []
  for (let quietTurns = 0; quietTurns < 20; quietTurns++) {
    await new Promise(setImmediate)
    try {
      for (;;) {
        crowd.push(Descriptor.own(openSync('/dev/null', 'r')))
        quietTurns = 0
      }
    } catch {
      // It is full.
    }
  }
  return crowd
}
