/**
 * The memory that a thread's sockets receive into, one slab for all of them.
 *
 * A wake-up's bytes lie in the slab while they are being handed over. Whoever wants them to stay says so (`keep`), and
 * that part of the slab is never written again; nobody does, and the same warm memory serves the next wake-up.
 */
import { setImmediate } from '../event-loop.js'
import { binding, Control } from './native.js'
import { workerThreads } from './node-modules.js'

const slabBytes = 256 * 1024

/** With less than this left in it the slab is replaced: room for what is presented again and for a good read. */
const leastRoom = 96 * 1024

let current: Uint8Array = new Uint8Array(0)

/** The slab that native code writes into now. */
export function receiveSlab(): Uint8Array {
  return current
}

/**
 * Whether slabs are guarded: what several sockets received lies in them for good, so whoever posts one to a worker must not take
 * the others away. Not before the first wake-up is over, since node:worker_threads takes long to load: until then, what is to
 * stay is copied out of the slab.
 */
export function slabsAreGuarded(): boolean {
  return guarded
}

/** Guards them once this turn of the loop is done. */
export function guardSlabsSoon(): void {
  if (guardDue) return
  guardDue = true
  setImmediate(guardSlabs).unref()
}

/** Leaves everything before `end` as it is from now on. */
export function keepReceived(end: number): void {
  guardSlabs()
  binding.control[Control.slabCursor] = end
  if (current.length - end < leastRoom) renewReceiveSlab()
}

export function renewReceiveSlab(): void {
  // Not zeroed: only what the kernel has written is ever shown.
  current = new Uint8Array(Buffer.allocUnsafeSlow(slabBytes).buffer)
  if (guarded) guardCurrent()
  binding.control[Control.slabCursor] = 0
  binding.setSlab(current)
}

let guarded = false
let guardDue = false

function guardSlabs(): void {
  if (guarded) return
  guarded = true
  guardCurrent()
}

function guardCurrent(): void {
  workerThreads().markAsUntransferable(current.buffer)
}
