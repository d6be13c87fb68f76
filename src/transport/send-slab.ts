/**
 * The memory in which what is short waits to be sent, one slab for all of a thread's sockets.
 *
 * Bytes stay where they were written until they are in the kernel; once none waits any more, the slab is used from its
 * start again. A slab that fills up under back-pressure is left to those who wait in it, and comes back when they are gone.
 *
 * At the cursor, one queue may have its open run: frames are written there one behind the other, and the queue and the slab
 * are told of all of them at once, when the run is closed. Whoever looks at either closes it first.
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

export interface OpenRun {
  /** Whose it is; undefined: there is none. */
  queue: RunOwner | undefined
  memory: Uint8Array
  /** The next frame goes to [at, end), and `at` behind it. */
  at: number
  end: number
}

export interface RunOwner {
  /** The run is closed: these bytes are queued. */
  pushRun(memory: Uint8Array, start: number, end: number): void
}

const noBytes = new Uint8Array(0)

export const openRun: OpenRun = { queue: undefined, memory: noBytes, at: 0, end: 0 }

let current = newSlab()
let cursor = 0
/** Left to those who wait in them, by their memory; and those in which nobody waits any more. */
const left = new Map<Uint8Array, Slab>()
const spare: Slab[] = []

/** Opens a run of `room` bytes at most, as far as the slab has them. */
export function beginRun(queue: RunOwner, room: number): void {
  closeRun()
  openRun.queue = queue
  openRun.memory = current.memory
  openRun.at = cursor
  openRun.end = Math.min(current.memory.length, cursor + room)
}

export function closeRun(): void {
  const { queue, memory, at } = openRun
  if (queue === undefined) return
  openRun.queue = undefined
  openRun.memory = noBytes
  const start = cursor
  if (at === start) return
  commitToSlab(at)
  queue.pushRun(memory, start, at)
}

/** Makes sure that the slab has `bytes` (at most slabBytes) free, at `sendSlabCursor()`. */
export function reserveInSlab(bytes: number): Uint8Array {
  closeRun()
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
  closeRun()
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
