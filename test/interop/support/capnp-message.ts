/**
 * Just enough of Cap'n Proto's encoding for tests: a message whose root is a List<Data>, written in one segment or in one
 * for each of the data, and read in whatever segments it comes. Knows no stream.
 */
import { capnpMessage, capnpSegments } from '../../../src/framing/index.js'

const listOfBytes = 2
const listOfPointers = 6
const wordsOf = (bytes: number) => (bytes + 7) >>> 3

/** As chunks for `send`. With `apart`, each of the data lies in a segment of its own, behind a far pointer. */
export function writeDataList(data: readonly Uint8Array[], apart: boolean): Uint8Array[] {
  const heads = 1 + data.length
  const first = Buffer.alloc(8 * (heads + (apart ? 0 : data.reduce((sum, { length }) => sum + wordsOf(length), 0))))
  writeListPointer(first, 0, 1, listOfPointers, data.length)
  const segments = [first]
  let next = heads
  for (const [i, { length }] of data.entries()) {
    const pointer = 1 + i
    if (apart) {
      const segment = Buffer.alloc(8 * (1 + wordsOf(length)))
      writeListPointer(segment, 0, 1, listOfBytes, length)
      segment.set(data[i]!, 8)
      first.writeUInt32LE(2, 8 * pointer)
      first.writeUInt32LE(segments.length, 8 * pointer + 4)
      segments.push(segment)
    } else {
      writeListPointer(first, pointer, next, listOfBytes, length)
      first.set(data[i]!, 8 * next)
      next += wordsOf(length)
    }
  }
  return capnpMessage(segments)
}

/** Views of the data; throws where it is another kind of message. */
export function readDataList(message: Uint8Array): Uint8Array[] {
  const segments = capnpSegments(message).map((bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
  const list = follow(segments, 0, 0)
  if (list.kind !== listOfPointers) throw new Error(`the root is a list of kind ${list.kind}`)
  return Array.from({ length: list.count }, (_, i) => {
    const { segment, word, kind, count } = follow(segments, list.segment, list.word + i)
    if (kind !== listOfBytes && count > 0) throw new Error(`element ${i} is a list of kind ${kind}`)
    return segments[segment]!.subarray(8 * word, 8 * word + count)
  })
}

interface Target {
  readonly segment: number
  readonly word: number
  readonly kind: number
  readonly count: number
}

/** What the pointer at a word leads to: a list, there or by way of a far pointer. */
function follow(segments: readonly Buffer[], segment: number, word: number): Target {
  const low = segments[segment]!.readInt32LE(8 * word)
  const high = segments[segment]!.readUInt32LE(8 * word + 4)
  if ((low & 7) === 2) return follow(segments, high, low >>> 3)
  if (low === 0 && high === 0) return { segment, word, kind: listOfBytes, count: 0 }
  if ((low & 3) !== 1) throw new Error(`a pointer of kind ${low & 7}`)
  return { segment, word: word + 1 + (low >> 2), kind: high & 7, count: high >>> 3 }
}

function writeListPointer(segment: Buffer, at: number, target: number, kind: number, count: number): void {
  segment.writeUInt32LE(((target - at - 1) << 2) | 1, 8 * at)
  segment.writeUInt32LE(((count << 3) | kind) >>> 0, 8 * at + 4)
}
