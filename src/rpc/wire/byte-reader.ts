/**
 * ByteReader: the parts that messages are made of, out of a peer's bytes. Nothing is taken on trust.
 */
import { RpcError } from '../rpc-error.js'

/** Longer names are read each time. */
const longestKept = 32
const mostKept = 128

export class ByteReader {
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  /** What `pathOfName` has read, each where its bytes put it. */
  readonly #names: ({ readonly bytes: Uint8Array; readonly path: readonly [string] } | undefined)[] = new Array(
    mostKept,
  )

  start(bytes: Uint8Array): void {
    this.#bytes = bytes
    this.#at = 0
  }

  get at(): number {
    return this.#at
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) throw this.refused('it is cut short')
    return this.#bytes[this.#at++] as number
  }

  /** See ByteWriter.integer. Throws for one over `most`, and for one that is longer than it need be. */
  integer(most = 0xffff_ffff): number {
    const first = this.#bytes[this.#at] as number // behind the end: undefined, and no number
    if (first < 0x80 && first <= most) {
      this.#at++
      return first
    }
    let value = 0
    let unit = 1
    for (;;) {
      const byte = this.byte()
      value += (byte & 0x7f) * unit
      if (value > most) throw this.refused(`a number over ${most}`)
      if (byte < 0x80) {
        if (byte === 0 && unit > 1) throw this.refused('a number that is longer than it need be')
        return value
      }
      unit *= 0x80
    }
  }

  string(): string {
    const end = this.#endOfSpan()
    const { buffer, byteOffset } = this.#bytes
    const start = this.#at
    this.#at = end
    return Buffer.from(buffer, byteOffset + start, end - start).toString()
  }

  /** A string, as a path of that alone. Those that were read before are looked up: the names of methods come again. */
  pathOfName(): readonly [string] {
    const from = this.#at
    const end = this.#endOfSpan()
    const start = this.#at
    const length = end - start
    const bytes = this.#bytes
    const slot = length === 0 ? 0 : (length * 7 + (bytes[start] as number) * 31 + (bytes[end - 1] as number)) % mostKept
    const known = this.#names[slot]
    if (known !== undefined && isAt(known.bytes, bytes, start, length)) {
      this.#at = end
      return known.path
    }
    this.#at = from
    const path = Object.freeze([this.string()] as const)
    if (length <= longestKept) this.#names[slot] = { bytes: bytes.slice(start, end), path }
    return path
  }

  /** A view. */
  bytesOf(): Uint8Array {
    const end = this.#endOfSpan()
    const start = this.#at
    this.#at = end
    return this.#view(start, end)
  }

  /** A view of all that is left. */
  rest(): Uint8Array {
    const start = this.#at
    this.#at = this.#bytes.length
    return this.#view(start, this.#at)
  }

  /** A view of everything, of which nothing is left. */
  all(): Uint8Array {
    this.#at = this.#bytes.length
    return this.#view(0, this.#at)
  }

  /** Throws if anything is left. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw this.refused('bytes follow it')
  }

  refused(what: string): RpcError {
    return new RpcError('failed', `a message that cannot be: ${what} (at its byte ${this.#at})`, { origin: 'remote' })
  }

  /** No Buffer: whoever keeps it calls `slice`, and a Buffer's is no copy. */
  #view(start: number, end: number): Uint8Array {
    const { buffer, byteOffset } = this.#bytes
    return new Uint8Array(buffer, byteOffset + start, end - start)
  }

  /** Reads its length. */
  #endOfSpan(): number {
    const length = this.integer()
    const end = this.#at + length
    if (end > this.#bytes.length) throw this.refused('it is cut short')
    return end
  }
}

/** Whether all of `sought` lies in `bytes` from `start` on, and is `length` long. */
function isAt(sought: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (sought.length !== length) return false
  for (let i = 0; i < length; i++) if (sought[i] !== bytes[start + i]) return false
  return true
}
