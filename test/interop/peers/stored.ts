/**
 * A service that outlives its process: what it holds is given to the manager's store, and taken back by the next one.
 *
 * Holds memfds with a number each: 1 to 40, then 253 at once. Prints what it got back.
 */
import { readSync } from 'node:fs'
import { Descriptor, inheritedDescriptors, notify } from 'pillion'

const inherited = inheritedDescriptors()
if (inherited.length === 0) await store()
else await restore()

async function store(): Promise<void> {
  for (let number = 1; number <= 40; number++) {
    const descriptor = made(number)
    await notify({ FDSTORE: 1, FDNAME: `session-${number}` }, { descriptors: [descriptor] })
    descriptor.close()
  }
  const many = Array.from({ length: 253 }, (_, i) => made(1_000 + i))
  await notify({ FDSTORE: 1, FDNAME: 'many' }, { descriptors: many })
  for (const descriptor of many) descriptor.close()
  await notify({ READY: 1, STATUS: 'holds 293' })
}

async function restore(): Promise<void> {
  console.log(JSON.stringify({ restored: inherited.map(({ name, descriptor }) => [name, numberIn(descriptor)]) }))
  for (const { descriptor } of inherited) descriptor.close()
  await notify({ FDSTOREREMOVE: 1, FDNAME: 'many' })
  await notify({ READY: 1, STATUS: `got ${inherited.length} back` })
}

function made(number: number): Descriptor {
  const content = Buffer.alloc(4)
  content.writeUInt32LE(number)
  return Descriptor.memfd(content)
}

function numberIn(descriptor: Descriptor): number {
  const content = Buffer.alloc(4)
  readSync(descriptor.fd, content, 0, 4, 0)
  return content.readUInt32LE()
}
