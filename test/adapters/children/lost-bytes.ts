/**
 * Receives as bytes, while its descriptor table has two places, a message with one descriptor and one that has more than fits:
 * eight, for somebody who listens to `descriptors`, then, for nobody, one beside a payload in a memfd.
 * Prints for each what came, what it ended by, and how many descriptors were left open.
 */
import { setImmediate } from 'node:timers/promises'
import { toDuplex } from '../../../src/adapters/node/index.js'
import { Descriptor, pair } from '../../../src/stream/index.js'
import { empty, fill, openCount } from './full-table.js'

const file = Descriptor.memfd(1)
await receive(true, Buffer.from('second'), Array(8).fill(file))
await receive(false, Buffer.alloc(1000), [file, file])
file.close()

async function receive(listens: boolean, second: Uint8Array, descriptors: readonly Descriptor[]): Promise<void> {
  const [near, far] = pair({ descriptorHeadroom: 0, memfdFrom: 500 })
  near.send(Buffer.from('first'), [file])
  near.send(second, descriptors)
  await near.end()
  await fill(2)
  const before = openCount()
  const duplex = toDuplex(far, { mode: 'bytes' })
  const came: unknown[] = []
  if (listens) {
    duplex.on('descriptors', (received: Descriptor[]) => {
      came.push(received.length)
      for (const descriptor of received) descriptor.close()
    })
  }
  duplex.on('data', (chunk: Buffer) => came.push(`${chunk}`))
  duplex.on('error', (error: NodeJS.ErrnoException) => came.push(error.code))
  while (!duplex.closed) await setImmediate()
  const leaked = Math.max(0, openCount() - before) // its own socket has gone
  process.stdout.write(`${JSON.stringify({ came, leaked })}\n`)
  empty()
  near.destroy()
}
