/**
 * Copies of encoded values, for as long as they are needed. Short ones share memory: to make a Uint8Array's own takes longer
 * than to fill it. So one that is kept keeps up to a slab's size.
 */
const slabBytes = 8 * 1024
const longestInSlab = 512

let slab = new Uint8Array(0)
let used = 0

/** Of bytes[start, end). Nobody else writes to it; what lies beside it in its memory is others'. */
export function keptCopy(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  const length = end - start
  if (length > longestInSlab) return new Uint8Array(bytes.subarray(start, end)) // a Buffer's `slice` is no copy
  if (length > slab.length - used) {
    slab = new Uint8Array(slabBytes)
    used = 0
  }
  const at = used
  used += length
  for (let i = 0; i < length; i++) slab[at + i] = bytes[start + i] as number
  return new Uint8Array(slab.buffer, at, length)
}
