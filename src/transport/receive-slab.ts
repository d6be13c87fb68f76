/**
 * The memory that a thread's sockets receive into, one slab for all of them.
 *
 * A wake-up's bytes lie in the slab while they are being handed over. Whoever wants them to stay says so (`keep`), and
 * that part of the slab is never written again; nobody does, and the same warm memory serves the next wake-up.
 */
import { markAsUntransferable } from 'node:worker_threads'
import { binding, Control } from './native.js'

const slabBytes = 256 * 1024

/** With less than this left in it the slab is replaced: room for what is presented again and for a good read. */
const leastRoom = 96 * 1024

let current: Uint8Array = new Uint8Array(0)

/** The slab that native code writes into now. */
export function receiveSlab(): Uint8Array {
  return current
}

/** Leaves everything before `end` as it is from now on. */
export function keepReceived(end: number): void {
  binding.control[Control.slabCursor] = end
  if (current.length - end < leastRoom) renewReceiveSlab()
}

export function renewReceiveSlab(): void {
  // Not zeroed: only what the kernel has written is ever shown.
  const slab = new Uint8Array(Buffer.allocUnsafeSlow(slabBytes).buffer)
  // What several sockets received lies in it: whoever posts one to a worker must not take the others away.
  markAsUntransferable(slab.buffer)
  current = slab
  binding.control[Control.slabCursor] = 0
  binding.setSlab(current)
}
