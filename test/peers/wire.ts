/**
 * Frames of the default format, written out by hand, and the ways to cut them into sends. Text is bytes, latin1.
 */
import type { Step } from './python-peer.js'

export interface Header {
  /** What the header says of the payload, if not the truth. */
  readonly length?: number
  readonly flags?: number
  readonly mark?: number
}

/** A frame: u32 length · u16 descriptors · u8 flags · u8 0xF1, then the payload (docs/protocol.md). */
export function wire(payload: string, descriptors = 0, header: Header = {}): string {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(header.length ?? payload.length, 0)
  bytes.writeUInt16LE(descriptors, 4)
  bytes.writeUInt8(header.flags ?? 0, 6)
  bytes.writeUInt8(header.mark ?? 0xf1, 7)
  return bytes.toString('latin1') + payload
}

export function send(text: string, tokens: readonly number[] = []): Step {
  return ['send', text, tokens]
}

/** `text` in sends that begin at 0 and at each of `cuts`; the tokens of a set ride on the send that begins there. */
export function cut(text: string, cuts: readonly number[], sets: Readonly<Record<number, readonly number[]>>): Step[] {
  const begins = [...new Set([0, ...cuts, ...Object.keys(sets).map(Number)])].sort((a, b) => a - b)
  return begins.map((begin, i) => send(text.slice(begin, begins[i + 1]), sets[begin]))
}

export function byteByByte(text: string, sets: Readonly<Record<number, readonly number[]>>): Step[] {
  return cut(text, range(text.length), sets)
}

/** The numbers from `first` on. */
export function range(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, i) => first + i)
}
