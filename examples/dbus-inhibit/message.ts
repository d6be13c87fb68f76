/**
 * D-Bus messages as bytes, both ways: as much of the marshalling as an example needs, little-endian, no dictionaries.
 *
 * A descriptor is an index ('h') into those that the message bears. Knows nothing of connections.
 */
export interface Message {
  /** 1 call, 2 return, 3 error, 4 signal. */
  readonly type: number
  readonly serial: number
  readonly flags?: number
  readonly path?: string
  readonly interface?: string
  readonly member?: string
  readonly errorName?: string
  readonly replySerial?: number
  readonly destination?: string
  readonly sender?: string
  /** Of the body; without it there is none. */
  readonly signature?: string
  readonly body?: readonly unknown[]
  readonly descriptors?: number
}

/** The header's fields: code and type of each. */
const fields = {
  path: [1, 'o'],
  interface: [2, 's'],
  member: [3, 's'],
  errorName: [4, 's'],
  replySerial: [5, 'u'],
  destination: [6, 's'],
  sender: [7, 's'],
  signature: [8, 'g'],
  descriptors: [9, 'u'],
} as const
const names = Object.keys(fields) as (keyof typeof fields)[]

export function encodeMessage(message: Message): Uint8Array {
  const body = new Writer()
  for (const [i, type] of typesOf(message.signature ?? '').entries()) body.write(type, message.body?.[i])
  const head = new Writer()
  head.bytes.push(0x6c, message.type, message.flags ?? 0, 1)
  head.write('u', body.bytes.length)
  head.write('u', message.serial)
  const given = names.filter((name) => message[name] !== undefined && message[name] !== '' && message[name] !== 0)
  const variants = given.map((name) => [fields[name][0], [fields[name][1], message[name]]])
  head.write('a(yv)', variants)
  head.align(8)
  return Uint8Array.from([...head.bytes, ...body.bytes])
}

/** A whole, well-formed message: bytes of a peer that is trusted, as a bus is. */
export function decodeMessage(payload: Uint8Array): Message {
  const reader = new Reader(payload)
  reader.at = 8
  const serial = reader.read('u') as number
  const found: Record<string, unknown> = { type: payload[1], flags: payload[2], serial }
  for (const [code, value] of reader.read('a(yv)') as [number, unknown][]) {
    const name = names.find((candidate) => fields[candidate][0] === code)
    if (name !== undefined) found[name] = value
  }
  reader.align(8)
  found.body = typesOf(String(found.signature ?? '')).map((type) => reader.read(type))
  return found as unknown as Message
}

/** The complete types that a signature is made of. */
function typesOf(signature: string): string[] {
  const types: string[] = []
  for (let at = 0, depth = 0, start = 0; at < signature.length; at++) {
    if (signature[at] === '(') depth++
    if (signature[at] === ')') depth--
    if (depth > 0 || signature[at] === 'a') continue
    types.push(signature.slice(start, at + 1))
    start = at + 1
  }
  return types
}

const sizes: Readonly<Record<string, number>> = { y: 1, g: 1, v: 1, b: 4, i: 4, u: 4, h: 4, s: 4, o: 4, a: 4 }
const alignmentOf = (type: string) => sizes[type.charAt(0)] ?? 8

class Writer {
  readonly bytes: number[] = []

  align(to: number): void {
    while (this.bytes.length % to !== 0) this.bytes.push(0)
  }

  write(type: string, value: unknown): void {
    this.align(alignmentOf(type))
    if (type === 'y') this.bytes.push(value as number)
    else if (type === 'g') this.bytes.push((value as string).length, ...Buffer.from(value as string), 0)
    else if (type === 's' || type === 'o') this.#text(value as string)
    else if (type === 'v') this.#variant(value as readonly [string, unknown])
    else if (type.startsWith('a')) this.#array(type.slice(1), value as readonly unknown[])
    else if (type.startsWith('('))
      for (const [i, member] of typesOf(type.slice(1, -1)).entries()) this.write(member, (value as unknown[])[i])
    else if (type === 'x' || type === 't') this.#number(BigInt(value as bigint), 8)
    else this.#number(BigInt(value as number), 4)
  }

  #number(value: bigint, size: number): void {
    for (let i = 0n; i < size; i++) this.bytes.push(Number((value >> (8n * i)) & 0xffn))
  }

  #text(text: string): void {
    this.write('u', Buffer.byteLength(text))
    this.bytes.push(...Buffer.from(text), 0)
  }

  #variant([type, value]: readonly [string, unknown]): void {
    this.write('g', type)
    this.write(type, value)
  }

  #array(type: string, values: readonly unknown[]): void {
    const lengthAt = this.bytes.length
    this.write('u', 0)
    this.align(alignmentOf(type))
    const start = this.bytes.length
    for (const value of values) this.write(type, value)
    const length = new Writer()
    length.write('u', this.bytes.length - start)
    this.bytes.splice(lengthAt, 4, ...length.bytes)
  }
}

class Reader {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  align(to: number): void {
    this.at = Math.ceil(this.at / to) * to
  }

  read(type: string): unknown {
    this.align(alignmentOf(type))
    if (type === 'y') return this.#bytes[this.at++]
    if (type === 'g') return this.#text(this.read('y') as number)
    if (type === 's' || type === 'o') return this.#text(this.read('u') as number)
    if (type === 'v') return this.read(this.read('g') as string)
    if (type.startsWith('(')) return typesOf(type.slice(1, -1)).map((member) => this.read(member))
    if (type.startsWith('a')) return this.#array(type.slice(1))
    const start = this.at
    this.at += alignmentOf(type)
    if (type === 'x') return this.#bytes.readBigInt64LE(start)
    if (type === 't') return this.#bytes.readBigUInt64LE(start)
    return type === 'i' ? this.#bytes.readInt32LE(start) : this.#bytes.readUInt32LE(start)
  }

  #text(length: number): string {
    this.at += length + 1
    return this.#bytes.toString('utf8', this.at - length - 1, this.at - 1)
  }

  #array(type: string): unknown[] {
    const length = this.read('u') as number
    this.align(alignmentOf(type))
    const values: unknown[] = []
    for (const end = this.at + length; this.at < end; ) values.push(this.read(type))
    return values
  }
}
