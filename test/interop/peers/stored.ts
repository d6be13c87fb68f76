/**
 * A service that outlives its process: what it holds is given to the manager's store, and taken back by the next one.
 *
 * Holds memfds with a number each: 1 to 40, then 253 at once. Prints what it got back. With the argument `stream` it speaks
 * to the manager over a datagram stream of its own, instead of by `notify`.
 */
import { readSync } from 'node:fs'
import { connect, Descriptor, inheritedDescriptors, type Notification, notify } from 'pillion'

const inherited = inheritedDescriptors()
const manager =
  process.argv[2] === 'stream' ? await connect(process.env.NOTIFY_SOCKET!, { type: 'datagram' }) : undefined
if (inherited.length === 0) await store()
else await restore()
await manager?.end()

async function store(): Promise<void> {
  for (let number = 1; number <= 40; number++) {
    const descriptor = made(number)
    await say({ FDSTORE: 1, FDNAME: `session-${number}` }, [descriptor])
    descriptor.close()
  }
  const many = Array.from({ length: 253 }, (_, i) => made(1_000 + i))
  await say({ FDSTORE: 1, FDNAME: 'many' }, many)
  for (const descriptor of many) descriptor.close()
  await say({ READY: 1, STATUS: 'holds 293' })
}

async function restore(): Promise<void> {
  console.log(JSON.stringify({ restored: inherited.map(({ name, descriptor }) => [name, numberIn(descriptor)]) }))
  for (const { descriptor } of inherited) descriptor.close()
  await say({ FDSTOREREMOVE: 1, FDNAME: 'many' })
  await say({ READY: 1, STATUS: `got ${inherited.length} back` })
}

async function say(notification: Notification, descriptors: readonly Descriptor[] = []): Promise<void> {
  if (manager === undefined) {
    await notify(notification, { descriptors })
    return
  }
  const lines = Object.entries(notification).map(([name, value]) => `${name}=${value}`)
  manager.send(Buffer.from(lines.join('\n')), descriptors)
  await manager.flush()
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
