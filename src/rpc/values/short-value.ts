/**
 * Decodes short values that are nothing but data, in one go: most arguments and results are. Whatever it does not know, or
 * that breaks a rule or a limit, it leaves to scan.ts and msgpackr, which say what is wrong; so there is nothing that is
 * taken here and refused there.
 */
import type { ValueLimits } from './limits.js'

/** Not decoded: it is for the long way. */
export const undecided: unique symbol = Symbol('undecided')

/** Longer than this, msgpackr's native code makes up for what it takes to call. */
const longest = 1024
/** Up to this length, calling into the engine takes longer than a string's characters one by one. */
const shortString = 16

let bytes: Uint8Array = new Uint8Array(0)
let at = 0
let valuesLeft = 0

/** The value, without marks and binaries, or `undecided`. */
export function decodeShort(content: Uint8Array, { depth, count }: ValueLimits): unknown {
  if (content.length > longest) return undecided
  bytes = content
  at = 0
  valuesLeft = count
  const value = read(depth)
  return at === content.length ? value : undecided
}

function read(depth: number): unknown {
  if (at >= bytes.length) return undecided
  const head = bytes[at++] as number
  if (head < 0x80) return head
  if (head < 0x90) return readMap(head & 0x0f, depth)
  if (head < 0xa0) return readArray(head & 0x0f, depth)
  if (head < 0xc0) return readString(head & 0x1f)
  if (head >= 0xe0) return head - 0x100
  switch (head) {
    case 0xc0:
      return null
    case 0xc2:
      return false
    case 0xc3:
      return true
    case 0xcb:
      return readDouble()
    case 0xcc:
      return readUnsigned(1)
    case 0xcd:
      return readUnsigned(2)
    case 0xce:
      return readUnsigned(4)
    case 0xd0:
      return readSigned(1)
    case 0xd1:
      return readSigned(2)
    case 0xd2:
      return readSigned(4)
    case 0xd9: {
      const length = readUnsigned(1)
      return typeof length === 'number' ? readString(length) : undecided
    }
    default:
      return undecided
  }
}

function readArray(length: number, depth: number): unknown {
  if (length === 0) return []
  valuesLeft -= length
  if (valuesLeft < 0 || depth <= 0) return undecided
  const array = new Array<unknown>(length)
  for (let i = 0; i < length; i++) {
    const value = read(depth - 1)
    if (value === undecided) return undecided
    array[i] = value
  }
  return array
}

function readMap(length: number, depth: number): unknown {
  if (length === 0) return {}
  valuesLeft -= 2 * length
  if (valuesLeft < 0 || depth <= 0) return undecided
  const map: Record<string, unknown> = {}
  for (let i = 0; i < length; i++) {
    const key = readKey()
    if (key === undefined) return undecided
    const value = read(depth - 1)
    if (value === undecided) return undecided
    map[key] = value
  }
  return map
}

/** Undefined for what is none, and for those that mean something: a mark's NUL, `__proto__`. */
function readKey(): string | undefined {
  const head = bytes[at] as number // behind the end: undefined, which is no string either
  if (!(head >= 0xa0 && head < 0xc0)) return undefined
  at++
  const key = readString(head & 0x1f)
  return typeof key !== 'string' || key === '\0' || key === '__proto__' ? undefined : key
}

const units: number[] = []

function readString(length: number): string | typeof undecided {
  const start = at
  at += length
  if (at > bytes.length) return undecided
  if (length > shortString) return utf8Slice.call(bytes, start, at)
  units.length = length
  for (let i = 0; i < length; i++) {
    const unit = bytes[start + i] as number
    if (unit >= 0x80) return utf8Slice.call(bytes, start, at)
    units[i] = unit
  }
  return String.fromCharCode.apply(String, units)
}

function readUnsigned(width: number): number | typeof undecided {
  if (at + width > bytes.length) return undecided
  let value = 0
  for (let i = 0; i < width; i++) value = value * 256 + (bytes[at++] as number)
  return value
}

function readSigned(width: number): number | typeof undecided {
  const value = readUnsigned(width)
  const half = 2 ** (8 * width - 1)
  return typeof value === 'number' && value >= half ? value - 2 * half : value
}

const double = new DataView(new ArrayBuffer(8))

function readDouble(): number | typeof undecided {
  if (at + 8 > bytes.length) return undecided
  for (let i = 0; i < 8; i++) double.setUint8(i, bytes[at++] as number)
  return double.getFloat64(0)
}

/** What Buffer's `toString` comes to, which takes any Uint8Array, so that no Buffer need be made of one. */
const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, start: number, end: number): string
}
