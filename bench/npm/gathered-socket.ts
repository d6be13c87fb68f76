/**
 * node:net as an expert puts it beneath an RPC library that wants messages: a length before each, the writes of one tick
 * gathered, parsed in place.
 */
import type { Socket } from 'node:net'
import { headerBytes, LengthParser } from '../contenders/length-parser.js'

export class GatheredSocket {
  readonly #socket: Socket
  #corked = false

  constructor(socket: Socket) {
    this.#socket = socket
  }

  send(message: Buffer): void {
    const socket = this.#socket
    if (!this.#corked) {
      this.#corked = true
      socket.cork()
      process.nextTick(() => {
        this.#corked = false
        socket.uncork()
      })
    }
    const header = Buffer.allocUnsafe(headerBytes)
    header.writeUInt32LE(message.length)
    socket.write(header)
    socket.write(message)
  }

  /** The message is valid during the call. */
  receive(onMessage: (message: Buffer) => void): void {
    const parser = new LengthParser((bytes, start, end) => onMessage(bytes.subarray(start, end) as Buffer))
    this.#socket.on('data', (chunk: Buffer) => parser.push(chunk, chunk.length))
  }
}
