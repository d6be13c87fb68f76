/**
 * Memory in which large frames lie one after the other, of the thread, where whoever consumes them is done with each when
 * its callback returns. Fresh memory would cost a page fault each 4 KiB, which takes longer than to fill it.
 *
 * It is held weakly while no frame lies in it: a collector that runs meanwhile takes it. Knows nothing of streams.
 */
import { workerThreads } from '../transport/node-modules.js'

/** Memory that is kept: so many pieces, and so many bytes in all. */
const mostPieces = 8
const mostBytes = 16 * 1024 * 1024

interface Piece {
  readonly memory: WeakRef<ArrayBufferLike>
  readonly length: number
}

const free: Piece[] = []
/** In which a frame lies. */
const lent = new WeakSet<ArrayBufferLike>()

/** So many bytes, of any content: nobody else's until `giveBack`, and for good without it. */
export function lendMemory(bytes: number): Uint8Array {
  const memory = takeFree(bytes) ?? fresh(bytes)
  lent.add(memory)
  return new Uint8Array(memory, 0, bytes)
}

/** Nobody looks any more at what `lendMemory` gave: it may be written again. Other memory is left alone. */
export function giveBack({ buffer }: Uint8Array): void {
  if (!lent.delete(buffer) || buffer.byteLength > mostBytes) return
  // Those that have waited longest go: what streams use now comes back all the time.
  while (free.length === mostPieces || freeBytes() + buffer.byteLength > mostBytes) free.shift()
  free.push({ memory: new WeakRef(buffer), length: buffer.byteLength })
}

function takeFree(bytes: number): ArrayBufferLike | undefined {
  for (let i = free.length - 1; i >= 0; i--) {
    if ((free[i] as Piece).length < bytes) continue
    const memory = free.splice(i, 1)[0]?.memory.deref()
    if (memory !== undefined) return memory
  }
  return undefined
}

function fresh(bytes: number): ArrayBufferLike {
  // Not zeroed: no byte of a frame is shown before it was received.
  const { buffer } = Buffer.allocUnsafeSlow(bytes)
  // What later frames lie in as well: whoever posts one to a worker must not take the others away.
  workerThreads().markAsUntransferable(buffer)
  return buffer
}

function freeBytes(): number {
  let bytes = 0
  for (const { length } of free) bytes += length
  return bytes
}
