/**
 * The payloads that are sent in turn, and what a receiver works out of each to show that it has them all, unchanged and in
 * order. bench/native/payloads.h has the same rule for C.
 */
const page = 4096
const large = 2 * page

export class Payloads {
  static readonly #made = new Map<number, Payloads>()
  readonly size: number
  readonly count: number
  readonly payloads: readonly Buffer[]
  readonly digests: Int32Array

  /** One set for all the connections of a process. */
  static of(size: number): Payloads {
    const made = Payloads.#made.get(size) ?? new Payloads(size)
    Payloads.#made.set(size, made)
    return made
  }

  private constructor(size: number) {
    this.size = size
    this.count = Math.max(2, Math.min(1024, Math.floor((256 * 1024) / size)))
    this.payloads = Array.from({ length: this.count }, (_, i) => payload(i, size))
    this.digests = Int32Array.from(this.payloads, (bytes) => digest(bytes, 0, size))
  }

  /** Whether these bytes are payload i. */
  is(i: number, bytes: Uint8Array, start: number, end: number): boolean {
    return end - start === this.size && digest(bytes, start, end) === this.digests[i]
  }
}

/** Of a small payload its ends; of a large one a byte of each page, so that all of it has to be there. */
export function digest(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < large) return (bytes[start] as number) + ((bytes[end - 1] as number) << 8)
  let sum = 0
  for (let at = start; at < end; at += page) sum = (Math.imul(sum, 31) + (bytes[at] as number)) | 0
  return (Math.imul(sum, 31) + (bytes[end - 1] as number)) | 0
}

export function addDigest(checksum: number, ofFrame: number): number {
  return (Math.imul(checksum, 31) + ofFrame) | 0
}

function payload(i: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size)
  for (let at = 0; at < size; at += page) bytes.fill((i * 7 + at / page) & 0xff, at, Math.min(size, at + page))
  bytes[0] = i & 0xff
  bytes[size - 1] = ((i >> 8) ^ 0x5a) & 0xff
  return bytes
}
