/**
 * Numbers as they lie in bytes, and the first bytes of a payload that is given in chunks; for the codecs alone. Knows
 * no format.
 */

export type Endian = 'little' | 'big'

export function uint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

export function uint32Big(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

/** The first `count` bytes of the chunks, or all where there are fewer: a view of the first chunk if that has them. */
export function leadingBytes(chunks: readonly Uint8Array[], count: number): Uint8Array {
  const first = chunks[0]
  if (first !== undefined && first.length >= count) return first.subarray(0, count)
  const parts: Uint8Array[] = []
  let left = count
  for (const chunk of chunks) {
    if (left === 0) break
    const part = chunk.subarray(0, left)
    parts.push(part)
    left -= part.length
  }
  return Buffer.concat(parts)
}
