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
  marks: boolean
  binaries: boolean
}

const result: Scanned = { marks: false, binaries: false }
/** How many values are still to come, by level; a map's are its keys and values. */
const open: number[] = []
const isMap: boolean[] = []

/** Throws RpcError of origin `remote`. The result is valid until the next call. */
export function scanValue(bytes: Uint8Array, limits: ValueLimits): Scanned {
  result.marks = false
  result.binaries = false
  let at = 0
  let count = 0
  let level = 0
  open[0] = 1
  isMap[0] = false
  const { length } = bytes

  const size = (width: number): number => {
    if (at + width > length) throw refused('it is cut short', at)
    let value = 0
    for (let i = 0; i < width; i++) value = value * 256 + (bytes[at++] as number)
    return value
  }
  const skip = (width: number): void => {
    at += width
    if (at > length) throw refused('it is cut short', length)
  }
  const enter = (values: number, map: boolean): void => {
    // At least a byte for each: a larger number cannot be true, and must not be counted down.
    if (values > length - at) throw refused('it is cut short', at)
    count += values
    if (count > limits.count) throw refused(`it has more than ${limits.count} values (limits.values)`, at)
    if (values === 0) return
    if (++level > limits.depth) throw refused(`it is nested deeper than ${limits.depth} (limits.depth)`, at)
    open[level] = values
    isMap[level] = map
  }

  for (;;) {
    while (open[level] === 0) {
      if (--level < 0) {
        if (at !== length) throw refused('bytes follow it', at)
        return result
      }
    }
    const remaining = open[level] as number
    open[level] = remaining - 1
    if (at >= length) throw refused('it is cut short', at)
    const start = at
    const byte = bytes[at++] as number
    if (isMap[level] === true && remaining % 2 === 0) {
      let keyLength: number
      if ((byte & 0xe0) === 0xa0) keyLength = byte & 0x1f
      else if (byte === 0xd9) keyLength = size(1)
      else if (byte === 0xda) keyLength = size(2)
      else if (byte === 0xdb) keyLength = size(4)
      else throw refused('an object has a key that is no string', start)
      if (keyLength === 1 && bytes[at] === 0) result.marks = true
      if (keyLength === 9 && isProto(bytes, at)) throw refused('an object has a key __proto__', start)
      skip(keyLength)
    } else if (byte < 0x80 || byte >= 0xe0) {
      // a small integer
    } else if (byte < 0x90) {
      enter((byte & 0x0f) * 2, true)
    } else if (byte < 0xa0) {
      enter(byte & 0x0f, false)
    } else if (byte < 0xc0) {
      skip(byte & 0x1f)
    } else {
      switch (byte) {
        case 0xc0:
        case 0xc2:
        case 0xc3:
          break
        case 0xc4:
        case 0xc5:
        case 0xc6:
          result.binaries = true
          skip(size(1 << (byte - 0xc4)))
          break
        case 0xca:
        case 0xce:
        case 0xd2:
          skip(4)
          break
        case 0xcb:
          skip(8)
          break
        case 0xcc:
        case 0xd0:
          skip(1)
          break
        case 0xcd:
        case 0xd1:
          skip(2)
          break
        case 0xd9:
        case 0xda:
        case 0xdb:
          skip(size(1 << (byte - 0xd9)))
          break
        case 0xdc:
        case 0xdd:
          enter(size(byte === 0xdc ? 2 : 4), false)
          break
        case 0xde:
        case 0xdf:
          enter(size(byte === 0xde ? 2 : 4) * 2, true)
          break
        default:
          // Extensions, the byte 0xc1, and the integers of 64 bits, which JavaScript has no numbers for.
          throw refused(`byte 0x${byte.toString(16)} begins no value`, start)
      }
    }
  }
}

const proto = Buffer.from('__proto__')

function isProto(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < proto.length; i++) if (bytes[at + i] !== proto[i]) return false
  return true
}

function refused(what: string, at: number): RpcError {
  return new RpcError('failed', `a value that cannot be: ${what} (at its byte ${at})`, { origin: 'remote' })
}
