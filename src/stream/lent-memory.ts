/**
 * Memory in which large frames lie one after the other, of the thread, where whoever consumes them is done with each when
 * its callback returns. Fresh memory would cost a page fault each 4 KiB, which takes longer than to fill it.
 *
 * What is free is kept while large frames keep coming, and let go of when none has come for a while. Knows nothing of streams.
 */
import { clearInterval, setInterval } from '../event-loop.js'
import { workerThreads } from '../transport/node-modules.js'

/**
 * Memory that is kept: so many pieces, and so many bytes in all. A frame begins in another piece than the one whose callback
 * is about to run: so two of the longest payload by default are used in turn, and at a pause both are free.
 */
const mostPieces = 8
const mostBytes = 32 * 1024 * 1024
/** After so many ms without a large frame it goes, or after twice as many at the latest. */
const idleAfter = 5000

/** In which no frame lies; the one used last comes last. */
const free: ArrayBufferLike[] = []
/** All that was ever made here. */
const made = new WeakSet<ArrayBufferLike>()
let used = false
let watch: NodeJS.Timeout | undefined

/** So many bytes, of any content: nobody else's until `giveBack`, and for good without it. */
export function lendMemory(bytes: number): Uint8Array {
  return new Uint8Array(takeFree(bytes) ?? fresh(bytes), 0, bytes)
}

/** Nobody looks any more at what `lendMemory` gave: it may be written again. Other memory is left alone. */
export function giveBack({ buffer }: Uint8Array): void {
  if (!made.has(buffer) || free.includes(buffer) || buffer.byteLength > mostBytes) return
  // Those that have waited longest go: what streams use now comes back all the time.
  while (free.length === mostPieces || freeBytes() + buffer.byteLength > mostBytes) free.shift()
  free.push(buffer)
  used = true
  watch ??= setInterval(letGoWhenIdle, idleAfter).unref()
}

function letGoWhenIdle(): void {
  if (!used) {
    free.length = 0
    clearInterval(watch)
    watch = undefined
  }
  used = false
}

function takeFree(bytes: number): ArrayBufferLike | undefined {
  for (let i = free.length - 1; i >= 0; i--) {
    if ((free[i] as ArrayBufferLike).byteLength >= bytes) return free.splice(i, 1)[0]
  }
  return undefined
}

function fresh(bytes: number): ArrayBufferLike {
  // Not zeroed: no byte of a frame is shown before it was received.
  const { buffer } = Buffer.allocUnsafeSlow(bytes)
  made.add(buffer)
  // What later frames lie in as well: whoever posts one to a worker must not take the others away.
  workerThreads().markAsUntransferable(buffer)
  return buffer
}

function freeBytes(): number {
  let bytes = 0
  for (const { byteLength } of free) bytes += byteLength
  return bytes
}
