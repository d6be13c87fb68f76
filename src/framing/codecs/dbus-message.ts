/**
 * The header of a D-Bus message, as far as framing needs it: how long the message is and how many descriptors it says
 * it bears. What else it says is skipped over, and checked only for staying within its bounds.
 *
 *     u8 'l' or 'B' · u8 type · u8 flags · u8 version · u32 body length · u32 serial
 *     · u32 length of the fields · (u8 code, variant) of each field, each aligned to 8 · padding to 8 · body
 */
import { uint32, uint32Big } from './bytes.js'

/** From the message's start up to its fields. */
export const fixedLength = 16
/** The specification's: bytes of a message. */
export const mostBytes = 2 ** 27

const mostFieldBytes = 2 ** 26
const version = 1
const unixFds = 9
/** The specification's, for containers in one another. */
const deepest = 64
const alignments = new Map<string, number>(
  Object.entries({ y: 1, g: 1, v: 1, n: 2, q: 2, b: 4, i: 4, u: 4, h: 4, s: 4, o: 4, a: 4, x: 8, t: 8, d: 8 }),
)
for (const open of '({') alignments.set(open, 8)

/** A signature, and where in it. */
interface Types {
  readonly signature: string
  at: number
}

export class DbusMessageHeader {
  /** Bytes of the message. */
  length = 0
  /** Bytes up to the body, which `readFields` has to have. */
  headerLength = 0
  /** What the field UNIX_FDS says; 0 without it. */
  descriptors = 0

  #bytes: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0
  #word: (bytes: Uint8Array, at: number) => number = uint32

  /** Sets both lengths, from the first 16 bytes. Returns what is wrong with them. */
  readFixed(bytes: Uint8Array, start: number): string | undefined {
    const mark = bytes[start]
    if (mark !== 0x6c && mark !== 0x42) return `byte 0 of a message is ${hex(mark)}, expected 0x6c (l) or 0x42 (B)`
    const word = mark === 0x6c ? uint32 : uint32Big
    if (bytes[start + 3] !== version) return `a message has the version ${bytes[start + 3]}, expected ${version}`
    if (bytes[start + 1] === 0) return 'a message has the type 0, which is none'
    if (word(bytes, start + 8) === 0) return 'a message has the serial 0, which is none'
    const fields = word(bytes, start + 12)
    if (fields > mostFieldBytes) return `a message has ${fields} bytes of fields, expected ${mostFieldBytes} at most`
    this.#word = word
    this.#end = fixedLength + fields
    this.headerLength = aligned(this.#end, 8)
    this.length = this.headerLength + word(bytes, start + 4)
    return undefined
  }

  /** Sets `descriptors`, from the message that `readFixed` has read. Returns what is wrong with its fields. */
  readFields(bytes: Uint8Array, start: number): string | undefined {
    this.#bytes = bytes
    this.#start = start
    this.descriptors = 0
    let counted = false
    let at = fixedLength
    while (at < this.#end) {
      at = aligned(at, 8)
      const code = this.#byte(at)
      const signature = this.#signature(at + 1)
      if (code === 0 || signature === undefined) return 'a field of a message has no code or no signature'
      const value = at + 1 + signature.length + 2
      at = this.#skipOne(signature, value, 0)
      if (at < 0) return `field ${code} of a message is not within the header, or not of its signature`
      if (code !== unixFds) continue
      if (signature !== 'u' || counted) return 'a message has a UNIX_FDS that is no u32, or two of them'
      counted = true
      this.descriptors = this.#word(bytes, start + at - 4)
    }
    this.#bytes = new Uint8Array(0)
    return undefined
  }

  /** Behind a value of that signature, one complete type, in a field or variant; -1 if it does not fit. */
  #skipOne(signature: string, at: number, depth: number): number {
    const types = { signature, at: 0 }
    const end = this.#skip(types, at, depth)
    return types.at === signature.length ? end : -1
  }

  /** As that, for the type that `types` is at and moves behind. Linear in both: no type or byte is looked at twice. */
  #skip(types: Types, at: number, depth: number): number {
    const kind = types.signature.charAt(types.at++)
    const alignment = alignments.get(kind)
    if (alignment === undefined || depth > deepest) return -1
    const start = aligned(at, alignment)
    switch (kind) {
      case 's':
      case 'o':
        return this.#behind(start, start + 4, 1)
      case 'g':
        return this.#within(start + this.#byte(start) + 2)
      case 'v': {
        const signature = this.#signature(start)
        return signature === undefined ? -1 : this.#skipOne(signature, start + signature.length + 2, depth + 1)
      }
      case 'a': {
        const element = alignments.get(types.signature.charAt(types.at))
        return element === undefined || !passType(types) ? -1 : this.#behind(start, aligned(start + 4, element), 0)
      }
      case '(':
      case '{':
        return this.#skipMembers(types, kind === '(' ? ')' : '}', start, depth)
      default:
        return this.#within(start + alignment)
    }
  }

  #skipMembers(types: Types, close: string, start: number, depth: number): number {
    let at = start
    while (at >= 0 && types.signature.charAt(types.at) !== close) at = this.#skip(types, at, depth + 1)
    types.at++
    return at
  }

  /** Behind so many bytes as the u32 at `length` says, from `content` on, and `more`. */
  #behind(length: number, content: number, more: number): number {
    if (this.#within(length + 4) < 0) return -1
    return this.#within(content + this.#word(this.#bytes, this.#start + length) + more)
  }

  /** A signature: its length in a byte, its characters, NUL. */
  #signature(at: number): string | undefined {
    const end = at + 1 + this.#byte(at)
    if (this.#within(end + 1) < 0 || end === at + 1 || this.#byte(end) !== 0) return undefined
    let signature = ''
    for (let i = at + 1; i < end; i++) signature += String.fromCharCode(this.#byte(i))
    return signature
  }

  #byte(at: number): number {
    return at < this.#end ? this.#bytes[this.#start + at]! : 0
  }

  #within(at: number): number {
    return at <= this.#end ? at : -1
  }
}

/** Moves behind the complete type that `types` is at; false if there is none. */
function passType(types: Types): boolean {
  const { signature } = types
  while (signature.charAt(types.at) === 'a') types.at++
  let open = 0
  while (types.at < signature.length) {
    const kind = signature.charAt(types.at++)
    if (kind === '(' || kind === '{') open++
    else if (kind === ')' || kind === '}') open--
    if (open <= 0) return open === 0
  }
  return false
}

function aligned(at: number, alignment: number): number {
  return Math.ceil(at / alignment) * alignment
}

function hex(byte: number | undefined): string {
  return `0x${(byte ?? 0).toString(16).padStart(2, '0')}`
}
