/**
 * The memory in which what is short waits to be sent, one slab for all of a thread's sockets.
 *
 * Bytes stay where they were written until they are in the kernel; once none waits any more, the slab is used from its
 * start again. A slab that fills up under back-pressure is left to those who wait in it, and comes back when they are gone.
 */

/** The most that may be copied at once into the slab. */
export const slabBytes = 64 * 1024

/** Larger pieces are not copied: they are sent from where they lie. */
export const largestInSlab = 16 * 1024

/** So many slabs that are free again are kept for the next back-pressure. */
const mostSpare = 8

interface Slab {
  readonly memory: Uint8Array
  /** Bytes that are queued. */
  waiting: number
}

let current = newSlab()
let cursor = 0
/** Left to those who wait in them, by their memory; and those in which nobody waits any more. */
const left = new Map<Uint8Array, Slab>()
const spare: Slab[] = []

/** Makes sure that the slab has `bytes` (at most slabBytes) free, at `sendSlabCursor()`. */
export function reserveInSlab(bytes: number): Uint8Array {
  if (current.memory.length - cursor < bytes) replace()
  return current.memory
}

export function sendSlabCursor(): number {
  return cursor
}

/** What lies between the cursor and `end` is queued now. */
export function commitToSlab(end: number): void {
  current.waiting += end - cursor
  cursor = end
}

/** `count` bytes of `memory` are sent or dropped. */
export function releaseFromSlab(memory: Uint8Array, count: number): void {
  if (memory === current.memory) {
    current.waiting -= count
    if (current.waiting === 0) cursor = 0
    return
  }
  const slab = left.get(memory)
  if (slab === undefined) return // somebody's own
  slab.waiting -= count
  if (slab.waiting > 0) return
  left.delete(memory)
  if (spare.length < mostSpare && memory.length === slabBytes) spare.push(slab)
}

function replace(): void {
  if (current.waiting > 0) left.set(current.memory, current)
  current = spare.pop() ?? newSlab()
  cursor = 0
}

function newSlab(): Slab {
  return { memory: new Uint8Array(Buffer.allocUnsafeSlow(slabBytes).buffer), waiting: 0 }
}
