/**
 * The memory that a thread's sockets receive into, one slab for all of them.
 *
 * A wake-up's bytes lie in the slab while they are being handed over. Whoever wants them to stay says so (`keep`), and
 * that part of the slab is never written again; nobody does, and the same warm memory serves the next wake-up. A slab that
 * is full of what stays serves again once all of that has been collected.
 *
 * No slab can be transferred: what several sockets received lies in it, and whoever posts one frame to a worker must not
 * take the others away. Memory that V8 has from outside, as the pool's, never can be.
 */
import { binding, Control } from './native.js'
import { workerThreads } from './node-modules.js'

const slabBytes = 256 * 1024

/** With less than this left in it the slab is replaced: room for what is presented again and for a good read. */
const leastRoom = 96 * 1024

/** After so many ms a slab that nobody needs goes, or after twice as many at the latest. */
const trimEvery = 1000

let current: Uint8Array = new Uint8Array(0)
let watch: NodeJS.Timeout | undefined

/** The slab that native code writes into now. */
export function receiveSlab(): Uint8Array {
  return current
}

/** Leaves everything before `end` as it is from now on. */
export function keepReceived(end: number): void {
  binding.control[Control.slabCursor] = end
  if (current.length - end >= leastRoom) return
  renewReceiveSlab()
  watch ??= setInterval(trim, trimEvery).unref()
}

export function renewReceiveSlab(): void {
  // Not zeroed: only what the kernel has written is ever shown.
  current = new Uint8Array(binding.takeSlab() ?? ownSlab())
  binding.control[Control.slabCursor] = 0
  binding.setSlab(current)
}

function ownSlab(): ArrayBuffer {
  const { buffer } = Buffer.allocUnsafeSlow(slabBytes)
  workerThreads().markAsUntransferable(buffer)
  return buffer as ArrayBuffer
}

function trim(): void {
  if (binding.trimSlabs()) return
  clearInterval(watch)
  watch = undefined
}
