/**
 * Looks through MessagePack before msgpackr decodes it. Its decoder has no limits of its own: a few bytes can stand for
 * any number of objects, nest until the stack is full, or call up extensions that build cycles and code.
 *
 * Accepted is what docs/rpc-protocol.md says a value is: no extension types, string keys, within depth and count.
 */
import { RpcError } from '../rpc-error.js'
import type { ValueLimits } from './limits.js'

/** What decoding has to look for. */
export interface Scanned {
  /** There are marked maps (tags.ts). */
  readonly marks: boolean
  readonly binaries: boolean
}

const marksBit = 1
const binariesBit = 2
const outcomes: readonly Scanned[] = [0, marksBit, binariesBit, marksBit | binariesBit].map((bits) =>
  Object.freeze({ marks: (bits & marksBit) !== 0, binaries: (bits & binariesBit) !== 0 }),
)

/** Of the arrays and maps around the one that is looked at: how much of each is still to come; a map's keys and values. */
const outerLeft: number[] = []
const outerIsMap: boolean[] = []

/** Throws RpcError of origin `remote`. */
export function scanValue(bytes: Uint8Array, { depth, count }: ValueLimits): Scanned {
  const end = bytes.length
  let at = 0
  let values = 0
  let seen = 0
  let level = 0
  let left = 1
  let inMap = false
  for (;;) {
    while (left === 0) {
      if (level === 0) {
        if (at !== end) throw refused('bytes follow it', at)
        return outcomes[seen] as Scanned
      }
      level--
      left = outerLeft[level] as number
      inMap = outerIsMap[level] as boolean
    }
    if (at >= end) throw cutShort(end)
    const start = at
    const isKey = inMap && left % 2 === 0
    left--
    const head = bytes[at++] as number
    if (isKey) {
      const width = keyWidths[head] as number
      if (width === notHere) throw refused('an object has a key that is no string', start)
      const length = width === 0 ? head & 0x1f : lengthAt(bytes, at, width)
      at += width
      if (length > end - at) throw cutShort(end)
      if (length === 1 && bytes[at] === 0) seen |= marksBit
      else if (length === proto.length && isProto(bytes, at)) throw refused('an object has a key __proto__', start)
      at += length
      continue
    }
    const skipped = plainLengths[head] as number
    if (skipped !== notHere) {
      at += skipped
      if (at > end) throw cutShort(end)
      continue
    }
    const width = lengthWidths[head] as number
    if (width === notHere) throw refused(`byte 0x${head.toString(16)} begins no value`, start)
    let length = width === 0 ? head & 0x0f : lengthAt(bytes, at, width)
    at += width
    if (isSpan(head)) {
      if (head <= 0xc6) seen |= binariesBit
      if (length > end - at) throw cutShort(end)
      at += length
      continue
    }
    const isMap = head < 0x90 || head >= 0xde
    if (isMap) length *= 2
    // At least a byte for each: a larger number cannot be true, and must not be counted down.
    if (length > end - at) throw cutShort(end)
    if (length === 0) continue
    values += length
    if (values > count) throw refused(`it has more than ${count} values (limits.values)`, start)
    if (level >= depth) throw refused(`it is nested deeper than ${depth} (limits.depth)`, start)
    outerLeft[level] = left
    outerIsMap[level] = inMap
    level++
    left = length
    inMap = isMap
  }
}

// What a byte begins, by the byte.
const notHere = 0xff
/** Bytes behind the head: of numbers, nil, true and false, and short strings. */
const plainLengths = new Uint8Array(256).fill(notHere)
plainLengths.fill(0, 0x00, 0x80).fill(0, 0xe0, 0x100)
for (let head = 0xa0; head < 0xc0; head++) plainLengths[head] = head & 0x1f
for (const head of [0xc0, 0xc2, 0xc3]) plainLengths[head] = 0
for (const [head, length] of [
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
] as const) {
  plainLengths[head] = length
}
/** Bytes of the length behind the head: of arrays and maps (0 where it is in the head), longer strings and binaries. */
const lengthWidths = new Uint8Array(256).fill(notHere)
lengthWidths.fill(0, 0x80, 0xa0)
for (const head of [0xc4, 0xd9]) lengthWidths.set([1, 2, 4], head)
for (const head of [0xdc, 0xde]) lengthWidths.set([2, 4], head)
/** The same of a key. */
const keyWidths = new Uint8Array(256).fill(notHere)
keyWidths.fill(0, 0xa0, 0xc0)
keyWidths.set([1, 2, 4], 0xd9)

/** A string or a binary, of those whose length is known by now. */
function isSpan(head: number): boolean {
  return head >= 0xc4 && head < 0xdc
}

function lengthAt(bytes: Uint8Array, at: number, width: number): number {
  if (at + width > bytes.length) throw cutShort(bytes.length)
  let value = 0
  for (let i = at; i < at + width; i++) value = value * 256 + (bytes[i] as number)
  return value
}

const proto = Buffer.from('__proto__')

function isProto(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < proto.length; i++) if (bytes[at + i] !== proto[i]) return false
  return true
}

function cutShort(at: number): RpcError {
  return refused('it is cut short', at)
}

function refused(what: string, at: number): RpcError {
  return new RpcError('failed', `a value that cannot be: ${what} (at its byte ${at})`, { origin: 'remote' })
}
