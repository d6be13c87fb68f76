/**
 * The memory in which what is short waits to be sent, one slab for all of a thread's sockets.
 *
 * Bytes stay where they were written until they are in the kernel; once none waits any more, the slab is used from its
 * start again. A slab that fills up under back-pressure is left to those who wait in it.
 */

/** The most that may be copied at once into the slab. */
export const slabBytes = 64 * 1024

/** Larger pieces are not copied: they are sent from where they lie. */
export const largestInSlab = 16 * 1024

let current: Uint8Array = new Uint8Array(Buffer.allocUnsafeSlow(slabBytes).buffer)
let cursor = 0
let waiting = 0

/** Makes sure that the slab has `bytes` (at most slabBytes) free, at `sendSlabCursor()`. */
export function reserveInSlab(bytes: number): Uint8Array {
  if (current.length - cursor < bytes) {
    current = new Uint8Array(Buffer.allocUnsafeSlow(slabBytes).buffer)
    cursor = 0
    waiting = 0
  }
  return current
}

export function sendSlabCursor(): number {
  return cursor
}

/** What lies between the cursor and `end` is queued now. */
export function commitToSlab(end: number): void {
  waiting += end - cursor
  cursor = end
}

/** `count` bytes of `memory` are sent or dropped. */
export function releaseFromSlab(memory: Uint8Array, count: number): void {
  if (memory !== current) return
  waiting -= count
  if (waiting === 0) cursor = 0
}
