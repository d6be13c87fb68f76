/**
 * Wayland's arguments, written and read: 32-bit words in the host's byte order. Descriptors lie beside the bytes, not in them.
 *
 * Knows no object and no connection.
 */
import { endianness } from 'node:os'

/** A number is an int, uint, object or new_id. */
export type Argument = number | string | Uint8Array

const little = endianness() === 'LE'

export function message(object: number, opcode: number, ...args: readonly Argument[]): Uint8Array {
  const size = args.reduce<number>((sum, argument) => sum + sizeOf(argument), 8)
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, object, little)
  view.setUint32(4, size * 0x10000 + opcode, little)
  let at = 8
  for (const argument of args) {
    if (typeof argument === 'number') {
      view.setUint32(at, argument, little)
    } else {
      const content = contentOf(argument)
      view.setUint32(at, content.length, little)
      bytes.set(content, at + 4)
    }
    at += sizeOf(argument)
  }
  return bytes
}

/** The arguments of a message, one after the other. */
export class Arguments {
  readonly object: number
  readonly opcode: number
  /** Of the whole message. */
  readonly size: number
  readonly #view: DataView
  #at = 8

  constructor(message: Uint8Array) {
    this.#view = new DataView(message.buffer, message.byteOffset, message.length)
    this.object = this.#view.getUint32(0, little)
    const word = this.#view.getUint32(4, little)
    this.opcode = word & 0xffff
    this.size = word >>> 16
  }

  uint(): number {
    const value = this.#view.getUint32(this.#at, little)
    this.#at += 4
    return value
  }

  int(): number {
    return this.uint() | 0
  }

  array(): Uint8Array {
    const length = this.uint()
    const content = new Uint8Array(this.#view.buffer, this.#view.byteOffset + this.#at, length)
    this.#at += padded(length)
    return content
  }

  string(): string {
    return Buffer.from(this.array().subarray(0, -1)).toString()
  }
}

function sizeOf(argument: Argument): number {
  return typeof argument === 'number' ? 4 : 4 + padded(contentOf(argument).length)
}

function contentOf(argument: string | Uint8Array): Uint8Array {
  return typeof argument === 'string' ? Buffer.from(`${argument}\0`) : argument
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4
}
