/**
 * ByteReader: the parts that messages are made of, out of a peer's bytes. Nothing is taken on trust.
 */
import { RpcError } from '../rpc-error.js'

export class ByteReader {
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  start(bytes: Uint8Array): void {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
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
    const { start, end } = this.#span()
    return this.#bytes.toString('utf8', start, end)
  }

  /** A view. */
  bytesOf(): Uint8Array {
    const { start, end } = this.#span()
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

  #span(): { readonly start: number; readonly end: number } {
    const length = this.integer()
    const start = this.#at
    const end = start + length
    if (end > this.#bytes.length) throw this.refused('it is cut short')
    this.#at = end
    return { start, end }
  }
}
