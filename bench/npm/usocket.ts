/**
 * usocket: bytes with descriptors, in two queues. `usocket-window` has so few frames under way that none of the descriptors is
 * lost: the receiver answers each window with a frame of three bytes.
 */
import { closeSync, openSync } from 'node:fs'
import { UServer, USocket } from 'usocket'
import { headerBytes, LengthParser } from '../contenders/length-parser.js'
import { carryFrames } from '../roles/frames.js'
import type { Link, OnFrame } from '../roles/link.js'
import type { Setting } from '../roles/setting.js'

const gatherBytes = 64 * 1024
/**
 * Frames under way: fewer than fill the send buffer, which is where usocket forgets descriptors. Without a window, frames
 * between two looks at whether they went (its `write` does not say).
 */
const window = 64
const windowAnswer = Buffer.from('ack')
const file = openSync('/dev/null', 'r')

class UsocketLink implements Link {
  readonly #socket: USocket
  readonly #setting: Setting
  readonly #files: number[]
  /** Descriptors that came, and frames since the last answer. */
  #came = 0
  #unanswered = 0
  #goOn: (() => void) | undefined

  constructor(socket: USocket, setting: Setting) {
    this.#socket = socket
    this.#setting = setting
    this.#files = Array.from({ length: setting.descriptors }, () => file)
    socket.on('error', () => {}) // the client ends as it likes
  }

  receive(onFrame: OnFrame): void {
    const windowed = this.#windowed
    const parser = new LengthParser((bytes, start, end) => {
      if (windowed && end - start === windowAnswer.length) {
        this.#goOn?.()
        return
      }
      if (windowed && end - start === this.#setting.payload && ++this.#unanswered === window) {
        this.#unanswered = 0
        this.send(windowAnswer, 0)
      }
      const each = this.#setting.descriptors
      const taken = end - start === this.#setting.payload ? Math.min(each, this.#came) : 0
      this.#came -= taken
      onFrame(bytes, start, end, taken)
    })
    // Listening to `data` is the fast way to read; descriptors are told of before the bytes that they came with. usocket also
    // keeps them for `read` to hand out: taken from there at once, or that list grows, and is copied for each that comes.
    this.#socket.on('fds', (fds: number[]) => {
      this.#socket.read(0, fds.length)
      for (const fd of fds) closeSync(fd)
      this.#came += fds.length
    })
    this.#socket.on('data', (chunk: Buffer) => parser.push(chunk, chunk.length))
  }

  send(payload: Buffer, descriptors: number): void {
    const data = frameOf(payload)
    this.#socket.write(descriptors === 0 ? { data } : { data, fds: this.#files })
  }

  async flood(next: () => Buffer | undefined): Promise<void> {
    if (this.#setting.descriptors > 0) await this.#floodDescriptors(next)
    else await this.#floodBytes(next)
  }

  get #windowed(): boolean {
    return this.#setting.contender === 'usocket-window' && this.#setting.pattern === 'flood'
  }

  async #floodDescriptors(next: () => Buffer | undefined): Promise<void> {
    for (let sent = 1, payload = next(); payload !== undefined; payload = next(), sent++) {
      const chunk = { data: frameOf(payload), fds: this.#files }
      if (sent % window !== 0) {
        this.#socket.write(chunk)
        continue
      }
      await new Promise<void>((resolve) => {
        this.#goOn = resolve
        this.#socket.write(chunk, this.#windowed ? undefined : () => resolve())
      })
    }
  }

  async #floodBytes(next: () => Buffer | undefined): Promise<void> {
    let batch = Buffer.allocUnsafeSlow(gatherBytes)
    let at = 0
    const write = (): Promise<void> =>
      new Promise((resolve) => {
        this.#socket.write(batch.subarray(0, at), () => resolve())
        batch = Buffer.allocUnsafeSlow(gatherBytes)
        at = 0
      })
    for (let payload = next(); payload !== undefined; payload = next()) {
      if (at + headerBytes + payload.length > batch.length) await write()
      batch.writeUInt32LE(payload.length, at)
      batch.set(payload, at + headerBytes)
      at += headerBytes + payload.length
    }
    if (at > 0) await write()
  }
}

function frameOf(payload: Buffer): Buffer {
  const data = Buffer.allocUnsafe(headerBytes + payload.length)
  data.writeUInt32LE(payload.length)
  data.set(payload, headerBytes)
  return data
}

await carryFrames({
  listen: (setting, accept) =>
    new Promise((resolve) => {
      const server = new UServer()
      server.on('connection', (socket: USocket) => {
        const link = new UsocketLink(socket, setting)
        link.receive(accept(link))
      })
      server.listen(setting.path, resolve)
    }),
  connect: (setting, onFrame) =>
    new Promise((resolve) => {
      const socket = new USocket({ path: setting.path }, () => {
        const link = new UsocketLink(socket, setting)
        link.receive(onFrame)
        resolve(link)
      })
    }),
})
