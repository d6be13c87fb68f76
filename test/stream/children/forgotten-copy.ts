/** Keeps a copy of a batch's frame, forgets it, and says what became of its descriptor. */
import { existsSync } from 'node:fs'
import { pair } from '../../../src/stream/index.js'
import { Descriptor } from '../../../src/transport/index.js'

const collect = globalThis.gc as () => void
const isOpen = (fd: number) => existsSync(`/proc/self/fd/${fd}`)
const warnings: string[] = []
process.on('warning', (warning) => warnings.push((warning as { code?: string }).code ?? warning.name))

const [a, b] = pair()
let kept = -1
let closed = -1
const handedOn = new Promise<void>((resolve) => {
  b.onBatch((batch) => {
    kept = batch.frame(0).descriptors[0]?.fd ?? -1
    closed = batch.descriptors(0).length
    setImmediate(resolve)
  })
})
a.send(new Uint8Array(1), [Descriptor.memfd(1)], { transfer: true })
await handedOn
const openBehindTheBatch = isOpen(kept)
for (let turn = 0; turn < 1000 && isOpen(kept); turn++) {
  collect()
  await new Promise(setImmediate)
}
const openInTheEnd = isOpen(kept)
a.destroy()
b.destroy()
process.stdout.write(`${JSON.stringify({ leftInBatch: closed, openBehindTheBatch, openInTheEnd, warnings })}\n`)
