/**
 * A connection to a bus: says who it is, agrees to pass descriptors, and calls methods.
 */
import { MessageType, type MethodCallMessage, parseMessage, serializeMessage } from 'd-bus-message-protocol'
import { BufferReader } from 'd-bus-type-system'
import { type Address, connect, type Descriptor, type Frame, type FrameStream } from 'pillion'
import { dbus } from 'pillion/framing'

/** A descriptor among the arguments is an index ('h') into those that come with the call or the reply. */
export type Call = Omit<MethodCallMessage, 'messageType' | 'serial' | 'unixFds'>

export interface Reply {
  readonly args: readonly unknown[]
  /** The caller's to close. */
  readonly descriptors: readonly Descriptor[]
}

export class Bus implements AsyncDisposable {
  readonly #stream: FrameStream
  readonly #calls = new Map<number, { resolve(reply: Reply): void; reject(error: unknown): void }>()
  #serial = 0

  private constructor(stream: FrameStream) {
    this.#stream = stream
  }

  static async connect(address: Address): Promise<Bus> {
    const stream = await connect(address, { codec: dbus() })
    const uid = Buffer.from(String(process.geteuid?.())).toString('hex')
    for (const line of [`\0AUTH EXTERNAL ${uid}`, 'NEGOTIATE_UNIX_FD', 'BEGIN']) stream.send(Buffer.from(`${line}\r\n`))
    const frames = stream[Symbol.asyncIterator]()
    for (const expected of ['OK ', 'AGREE_UNIX_FD']) {
      const answer = String(Buffer.from((await frames.next()).value?.payload ?? []))
      if (!answer.startsWith(expected)) throw new Error(`the bus answers ${answer.trim()}, expected ${expected}`)
    }
    const bus = new Bus(stream)
    void bus.#receive(frames)
    const destination = 'org.freedesktop.DBus'
    await bus.call({ destination, objectPath: '/', interfaceName: destination, memberName: 'Hello' })
    return bus
  }

  /** Rejects with what the other side calls an error. The descriptors given stay the caller's. */
  call(call: Call, descriptors: readonly Descriptor[] = []): Promise<Reply> {
    const serial = ++this.#serial
    const header = { messageType: MessageType.MethodCall, serial, unixFds: descriptors.length } as const
    this.#stream.send(new Uint8Array(serializeMessage({ ...header, ...call })), descriptors)
    return new Promise((resolve, reject) => this.#calls.set(serial, { resolve, reject }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stream[Symbol.asyncDispose]()
  }

  async #receive(frames: AsyncIterableIterator<Frame>): Promise<void> {
    try {
      for await (const frame of frames) this.#take(frame)
      throw new Error('the bus has closed the connection')
    } catch (error) {
      for (const { reject } of this.#calls.values()) reject(error)
    }
  }

  #take(frame: Frame): void {
    const littleEndian = frame.payload[0] === 0x6c
    const message = parseMessage(new BufferReader(Uint8Array.from(frame.payload).buffer, { littleEndian }))
    if (!('replySerial' in message)) return frame[Symbol.dispose]() // a signal, which nobody has asked for
    const { replySerial, args = [] } = message
    const call = this.#calls.get(replySerial)
    this.#calls.delete(replySerial)
    if (!('errorName' in message)) return call?.resolve({ args, descriptors: frame.descriptors })
    frame[Symbol.dispose]()
    call?.reject(new Error(`${message.errorName}: ${args[0]}`))
  }
}
