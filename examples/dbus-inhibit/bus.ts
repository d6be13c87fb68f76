/**
 * A connection to a bus: says who it is, agrees to pass descriptors, and calls methods.
 */
import { type Address, connect, type Descriptor, type Frame, type FrameStream } from 'pillion'
import { dbus } from 'pillion/framing'
import { decodeMessage, encodeMessage, type Message } from './message.js'

export interface Reply {
  readonly body: readonly unknown[]
  /** The caller's to close. */
  readonly descriptors: readonly Descriptor[]
}

type Call = Pick<Message, 'destination' | 'path' | 'interface' | 'member' | 'signature' | 'body'>

export class Bus implements AsyncDisposable {
  readonly #stream: FrameStream
  readonly #calls = new Map<number, { resolve(reply: Reply): void; reject(error: unknown): void }>()
  #serial = 0

  private constructor(stream: FrameStream) {
    this.#stream = stream
  }

  static async connect(address: Address): Promise<Bus> {
    const stream = await connect(address, { codec: dbus() })
    const frames = stream[Symbol.asyncIterator]()
    await say(stream, frames, `\0AUTH EXTERNAL ${Buffer.from(String(process.geteuid?.())).toString('hex')}`, 'OK')
    await say(stream, frames, 'NEGOTIATE_UNIX_FD', 'AGREE_UNIX_FD')
    stream.send(Buffer.from('BEGIN\r\n'))
    const bus = new Bus(stream)
    void bus.#receive(frames)
    const destination = 'org.freedesktop.DBus'
    await bus.call({ destination, path: '/org/freedesktop/DBus', interface: destination, member: 'Hello' })
    return bus
  }

  /** Rejects with what the other side calls an error. The descriptors stay the caller's. */
  call(call: Call, descriptors: readonly Descriptor[] = []): Promise<Reply> {
    const serial = ++this.#serial
    this.#stream.send(encodeMessage({ type: 1, serial, ...call, descriptors: descriptors.length }), descriptors)
    return new Promise((resolve, reject) => this.#calls.set(serial, { resolve, reject }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream[Symbol.asyncDispose]()
  }

  async #receive(frames: AsyncIterableIterator<Frame>): Promise<void> {
    let ended: unknown = new Error('the bus has closed the connection')
    try {
      for await (const frame of frames) this.#take(frame)
    } catch (error) {
      ended = error
    }
    for (const { reject } of this.#calls.values()) reject(ended)
  }

  #take(frame: Frame): void {
    const { type, replySerial = 0, body = [], errorName } = decodeMessage(frame.payload)
    const call = this.#calls.get(replySerial)
    this.#calls.delete(replySerial)
    if (type === 2 && call !== undefined) return call.resolve({ body, descriptors: frame.descriptors })
    frame[Symbol.dispose]() // an error, or a signal that nobody asked for
    call?.reject(new Error(`${errorName}: ${body[0]}`))
  }
}

/** A line of the text phase, and what the answer to it begins with. */
async function say(stream: FrameStream, frames: AsyncIterator<Frame>, line: string, expected: string): Promise<void> {
  stream.send(Buffer.from(`${line}\r\n`))
  const answer = Buffer.from((await frames.next()).value?.payload ?? '').toString()
  if (!answer.startsWith(expected)) throw new Error(`the bus answers ${line.trim()} with ${answer.trim()}`)
}
