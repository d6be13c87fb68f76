/**
 * Tokens: descriptors that can tell which they are. Each is a memfd of 4 bytes, a number; peers in other processes and
 * languages make and read them the same way.
 */
import { readSync } from 'node:fs'
import { Descriptor } from '../../src/transport/index.js'

/** One for each number; the caller closes them. */
export function makeTokens(numbers: Iterable<number>): Descriptor[] {
  return Array.from(numbers, (number) => {
    const content = Buffer.alloc(4)
    content.writeUInt32LE(number)
    return Descriptor.memfd(content, { name: 'token' })
  })
}

/** Which one it is; throws where a descriptor is none at all. */
export function tokenOf(descriptor: Descriptor | number): number {
  const content = Buffer.alloc(4)
  const read = readSync(typeof descriptor === 'number' ? descriptor : descriptor.fd, content, 0, 4, 0)
  if (read !== 4) throw new Error(`no token: ${read} bytes`)
  return content.readUInt32LE()
}

export function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor.close()
}
