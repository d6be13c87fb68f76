/** Forgets descriptors, here and in a worker thread, and says what became of them. */
import { closeSync, existsSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { Descriptor } from '../../../src/transport/descriptor.js'
import { binding } from '../../../src/transport/native.js'

const collect = globalThis.gc as () => void
const warnings: string[] = []
process.on('warning', (warning) => warnings.push((warning as { code?: string }).code ?? warning.name))

function forget(): { readonly forgotten: number[]; readonly taken: number } {
  const forgotten = [1, 2, 3].map((size) => Descriptor.memfd(size).fd)
  const taken = Descriptor.memfd(4).take()
  for (let i = 0; i < 100; i++) Descriptor.memfd(5).close()
  return { forgotten, taken }
}

const isOpen = (fd: number) => existsSync(`/proc/self/fd/${fd}`)
const numbers = forget()
// Has the number that those closed before it had: their end must not be its end.
const heir = Descriptor.memfd(6)
for (let turn = 0; turn < 1000 && numbers.forgotten.some(isOpen); turn++) {
  collect()
  await new Promise(setImmediate)
}
const stillOpen = numbers.forgotten.filter(isOpen).length // now: others have these numbers soon
const takenIsOpen = isOpen(numbers.taken)
closeSync(numbers.taken)
const heirIsOpen = isOpen(heir.fd)
heir.close()

// A worker that ends without closing anything: its environment does.
const worker = new Worker(new URL('./forgetful-worker.mjs', import.meta.url))
const ofWorker = await new Promise<number[]>((resolve, reject) => {
  worker.once('message', resolve)
  worker.once('error', reject)
})
const openInWorker = ofWorker.filter(isOpen).length
await worker.terminate()

process.stdout.write(
  `${JSON.stringify({
    stillOpen,
    takenIsOpen,
    heirIsOpen,
    owned: binding.ledgerCount(),
    warnings,
    openInWorker,
    openAfterWorker: ofWorker.filter(isOpen).length,
  })}\n`,
)
