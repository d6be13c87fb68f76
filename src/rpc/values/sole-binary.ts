/**
 * SoleBinary: bytes as the only argument of a call, which is what a chunk of bytes is. They need no look at every value
 * there may be: written, they are sent from where they lie; read, they are a view of the message.
 */
import { Payload } from '../machine/payload.js'
import { ValueWriter } from './value-writer.js'

const arrayOfOne = 0x91
/** Heads of a binary, by the bytes that its length takes. */
const heads = [0xc4, 0xc5, undefined, 0xc6] as const

const head = new ValueWriter()

/**
 * The bytes are not copied: they stay as they are until they are sent.
 * @param onReturned see Payload.referring
 */
export function encodeSoleBinary(bytes: Uint8Array, onReturned?: () => void): Payload {
  head.array(1)
  head.binaryHead(bytes.length)
  return Payload.referring(head.take(), bytes, onReturned)
}

/** A view of the bytes, if they are all that there is; undefined for any other content, and for what is no value. */
export function soleBinaryOf(content: Uint8Array): Uint8Array | undefined {
  if (content[0] !== arrayOfOne) return undefined
  const width = heads.indexOf(content[1] as (typeof heads)[number]) + 1
  if (width === 0 || content.length < 2 + width) return undefined
  let length = 0
  for (let i = 2; i < 2 + width; i++) length = length * 0x100 + (content[i] as number)
  const { buffer, byteOffset } = content
  return content.length === 2 + width + length ? new Uint8Array(buffer, byteOffset + 2 + width, length) : undefined
}
