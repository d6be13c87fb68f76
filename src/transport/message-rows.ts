/**
 * What a wake-up brought where the kernel keeps boundaries, out of the native side's rows: one set for each message,
 * whose end is the message's, and the one message that the slab had no room for.
 */
import type { DescriptorSet } from './received.js'

const noFds: readonly number[] = []

/** The first `count` rows. @param known stream position of the wake-up's first byte */
export function messageSets(count: number, rows: Int32Array, known: number): DescriptorSet[] {
  const sets: DescriptorSet[] = []
  let at = 0
  for (let i = 0; i < count; i++) {
    const descriptors = rows[at + 2] as number
    const fds = descriptors === 0 ? noFds : Array.from(rows.subarray(at + 4, at + 4 + descriptors))
    sets.push({
      end: known + (rows[at] as number),
      truncated: rows[at + 1] === 1,
      fds,
      messageLength: rows[at + 3] as number,
    })
    at += 4 + descriptors
  }
  return sets
}

let spill: Uint8Array = new Uint8Array(0)

/**
 * Memory of this length, one for all of a thread's sockets, in which messages go on that the slab has no room for. Its
 * pages cost nothing before a message has reached them.
 */
export function messageSpill(length: number): Uint8Array {
  if (spill.length < length) spill = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer)
  return spill.subarray(0, length)
}

/** A message in memory of its own: what lies in the slab, and what went on in the spill. */
export function joinSpilled(inSlab: Uint8Array, spilled: Uint8Array): Uint8Array {
  const message = new Uint8Array(Buffer.allocUnsafeSlow(inSlab.length + spilled.length).buffer)
  message.set(inSlab)
  message.set(spilled, inSlab.length)
  return message
}
