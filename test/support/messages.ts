/** Messages of foreign formats, made byte by byte, for tests of their codecs. */

/** A D-Bus signal with these header fields: code, signature, value as it lies (aligned by the caller's choice of order). */
export interface DbusShape {
  readonly endian?: 'l' | 'B'
  readonly body?: Uint8Array
  readonly descriptors?: number
  /** Put in front of UNIX_FDS. */
  readonly path?: string
  readonly version?: number
  readonly type?: number
  readonly serial?: number
  /** In place of the fields that the above say. */
  readonly fields?: Uint8Array
}

export function dbusMessage(shape: DbusShape = {}): Uint8Array {
  const {
    endian = 'l',
    body = Buffer.alloc(0),
    descriptors = 0,
    path = '/a',
    version = 1,
    type = 4,
    serial = 1,
  } = shape
  const word = endian === 'l' ? word32 : word32Big
  const fields =
    shape.fields ??
    [
      Buffer.concat([field(1, 'o'), word(path.length), Buffer.from(`${path}\0`)]),
      Buffer.concat([field(3, 's'), word(1), Buffer.from('M\0')]),
      ...(descriptors === 0 ? [] : [Buffer.concat([field(9, 'u'), word(descriptors)])]),
    ].reduce((before, next) => Buffer.concat([padded(before, 8), next]), Buffer.alloc(0))
  return Buffer.concat([
    padded(
      Buffer.concat([
        Buffer.from([endian.charCodeAt(0), type, 0, version]),
        word(body.length),
        word(serial),
        word(fields.length),
        fields,
      ]),
      8,
    ),
    body,
  ])
}

/** A field's code and signature, padded to where a value aligned to 4 begins (signatures of one character). */
export function field(code: number, signature: string): Uint8Array {
  return padded(Buffer.concat([Buffer.from([code, signature.length]), Buffer.from(`${signature}\0`)]), 4)
}

export function padded(bytes: Uint8Array, alignment: number): Uint8Array {
  const missing = (alignment - (bytes.length % alignment)) % alignment
  return Buffer.concat([bytes, Buffer.alloc(missing)])
}

export function word32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

export function word32Big(value: number): Uint8Array {
  return Buffer.from(word32(value)).reverse()
}

/** A Wayland message of this machine's byte order; the size is what it has unless it is given. */
export function waylandMessage(object: number, opcode: number, words = 0, size = 8 + 4 * words): Uint8Array {
  const message = new Uint32Array(2 + words).fill(0x01020304)
  message[0] = object
  message[1] = size * 0x10000 + opcode
  return new Uint8Array(message.buffer)
}
