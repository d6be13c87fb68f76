/**
 * EndpointLink: comlink's messages as frames, of the endpoint itself and of the proxies that are passed through it.
 *
 * A frame is a value, `[channel, message]`, and with proxies in it `[channel, message, [place, channel, …]]`. Channel 0 is
 * the endpoint; others are numbered by who passes the object, from 1 on, and negative when its receiver writes them. It
 * knows which message is a call and which its answer, so that none is left pending and no descriptor open.
 */
import type { Endpoint } from 'comlink'
import { ClosedError, DescriptorLostError, UsageError } from '../../errors.js'
import { FrameStreamTransport, packValue, RpcError, unpackValue } from '../../rpc/index.js'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { giveUp, InStreamPort, Listeners, substituteOf } from './in-stream-port.js'
import {
  checkedFrame,
  type Frame,
  isCall,
  type Message,
  refusalOf,
  throwing,
  throwingItself,
  wireValuesOf,
} from './messages.js'

export interface Root extends Endpoint {
  close(): void
}

export interface LinkOptions {
  readonly maxQueued?: number
  readonly maxProxies?: number
  readonly depth?: number
  readonly values?: number
}

interface Port {
  readonly listeners: Listeners
}

/** A call costs comlink more than a system call: the peer had better begin with the first answers soon. */
const answeredTogether = 16

export class EndpointLink {
  readonly root: Root
  readonly #stream: FrameStream
  readonly #link: FrameStreamTransport
  readonly #maxQueued: number
  readonly #maxProxies: number
  readonly #lent
  readonly #moved
  readonly #received
  /** Where the peer's calls go: the endpoint itself, and what was passed by proxy. */
  readonly #exposed = new Map<number, Port>()
  /** Calls of ours that have no answer yet, and whose. */
  readonly #pending = new Map<string, Port>()
  /** What calls of the peer's came with. */
  readonly #borrowed = new Map<unknown, readonly Descriptor[]>()
  #channels = 0
  #started = false
  #ended: Error | undefined

  constructor(stream: FrameStream, { maxQueued = 64 * 1024 * 1024, maxProxies = 10_000, ...limits }: LinkOptions) {
    this.#stream = stream
    this.#link = new FrameStreamTransport(stream, { answers: 'by promises', together: answeredTogether })
    this.#maxQueued = maxQueued
    this.#maxProxies = maxProxies
    this.#lent = limits
    this.#moved = { ...limits, transfer: true }
    this.#received = { ...limits, bytes: 'copies', lost: 'in place' } as const
    const port = { listeners: new Listeners() }
    this.#exposed.set(0, port)
    this.root = {
      postMessage: (message, transfer) => this.#post(0, port, message as Message, transfer),
      addEventListener: (type, listener) => {
        port.listeners.add(type, listener)
        this.#start()
      },
      removeEventListener: (_type, listener) => port.listeners.remove(listener),
      close: () => this.#end(new ClosedError('the endpoint was closed')),
    }
  }

  #start(): void {
    if (this.#started || this.#ended !== undefined) return
    this.#started = true
    this.#link.start({
      onFrame: (payload, descriptors, lost) => this.#receive(payload, descriptors, lost),
      onBatchEnd: () => {},
      onEnd: (error) => this.#end(error ?? new RpcError('disconnected', 'the stream has ended')),
    })
  }

  #post(channel: number, port: Port, message: Message, transfer: readonly object[] = []): void {
    try {
      if (isCall(message)) this.#call(channel, port, message, transfer)
      else this.#answer(channel, message, transfer)
    } finally {
      for (const object of transfer) giveUp(object)
    }
  }

  /** Throws what it cannot be sent for. */
  #call(channel: number, port: Port, message: Message, transfer: readonly object[]): void {
    const { id, type } = message
    if (this.#ended !== undefined) {
      if (type === 'RELEASE') return // by the collector, perhaps: nobody could catch anything
      throw this.#ended
    }
    if (this.#link.queuedBytes > this.#maxQueued) {
      if (type !== 'RELEASE') throw this.#overloaded()
      this.#stream.destroy(this.#overloaded())
      return
    }
    if (type === 'ENDPOINT') {
      port.listeners.tell({ id, type: 'RAW', value: this.#anotherPort(channel) })
      return
    }
    this.#send(channel, message, transfer, false)
    if (type !== 'RELEASE') this.#pending.set(id as string, port) // comlink waits for no answer to that
  }

  /** Whoever called is told in any case: by comlink, if this throws. */
  #answer(channel: number, message: Message, transfer: readonly object[] = []): void {
    if (this.#link.queuedBytes > this.#maxQueued) this.#stream.destroy(this.#overloaded())
    try {
      this.#send(channel, message, transfer, true)
    } catch (error) {
      if (error instanceof UsageError) throw error // what cannot travel: comlink says so in its own words
      this.#send(channel, throwing(message.id, error), [], true)
    } finally {
      closeAll(this.#borrowed.get(message.id) ?? [])
      this.#borrowed.delete(message.id)
    }
  }

  #send(channel: number, message: Message, transfer: readonly object[], moved: boolean): void {
    const frame: unknown[] = [channel, message]
    const substitutes = new Map<object, InStreamPort>()
    try {
      for (const object of transfer) {
        const substitute = substituteOf(object)
        if (substitute !== undefined) substitutes.set(object, substitute)
      }
      if (substitutes.size > 0) frame.push(this.#placesOf(substitutes, message))
      const { payload, descriptors } = packValue(frame, moved ? this.#moved : this.#lent)
      this.#link.send(payload, [], descriptors)
    } catch (error) {
      for (const substitute of substitutes.values()) substitute.close()
      throw error
    }
  }

  /** Takes the ports out of the message, whose substitutes lead here from now on. */
  #placesOf(substitutes: ReadonlyMap<object, InStreamPort>, message: Message): number[] {
    const values = wireValuesOf(message) as { value: unknown }[]
    if (this.#exposed.size + substitutes.size > this.#maxProxies + 1) {
      throw new RpcError('overloaded', `the peer holds ${this.#maxProxies} proxies (maxProxies): release some`)
    }
    return [...substitutes].flatMap(([port, substitute]) => {
      const wrapped = values.find(({ value }) => value === port)
      if (wrapped === undefined) throw new UsageError('a proxy has to be an argument or a result by itself')
      wrapped.value = null
      const channel = ++this.#channels
      this.#exposed.set(channel, substitute)
      substitute.lead({
        post: (answer, transfer) => this.#post(channel, substitute, answer, transfer),
        close: () => this.#exposed.delete(channel),
      })
      return [values.indexOf(wrapped), channel]
    })
  }

  #receive(payload: Uint8Array, received: readonly Descriptor[], lost: number): void {
    let frame: Frame
    let descriptors: readonly Descriptor[] = []
    try {
      const unpacked = unpackValue({ payload, descriptors: received, lost }, this.#received)
      descriptors = unpacked.descriptors
      frame = checkedFrame(unpacked.value)
    } catch (error) {
      closeAll(descriptors)
      this.#stream.destroy(error as Error)
      return
    }
    const values = wireValuesOf(frame.message) as { value: unknown }[]
    const ports: InStreamPort[] = []
    for (let i = 0; i < frame.proxies.length; i += 2) {
      const port = this.#portTo(-frame.proxies[i + 1]!)
      values[frame.proxies[i]!]!.value = port
      ports.push(port)
    }
    const wanted = isCall(frame.message)
      ? this.#called(frame, descriptors, lost)
      : this.#answered(frame, descriptors, lost)
    if (!wanted) for (const port of ports) port.postMessage({ id: '', type: 'RELEASE', path: [] })
  }

  /** Whether comlink has seen it: only then does it release the proxies in it. */
  #called({ channel, message }: Frame, descriptors: readonly Descriptor[], lost: number): boolean {
    const { id } = message
    const refusal = lost > 0 ? lostOnTheWay() : refusalOf(message)
    if (descriptors.length > 0) this.#borrowed.set(id, [...(this.#borrowed.get(id) ?? []), ...descriptors])
    try {
      if (refusal !== undefined) throw refusal
      if (this.#exposed.get(-channel)?.listeners.tell(message) === true) return true
      throw new RpcError('disconnected', 'what is called has been released')
    } catch (error) {
      this.#answer(-channel, throwing(id, error))
      return false
    }
  }

  /** Whether it belongs to somebody, with the descriptors and the proxies in it. */
  #answered({ message, proxies }: Frame, descriptors: readonly Descriptor[], lost: number): boolean {
    const id = message.id as string
    const port = this.#pending.get(id)
    this.#pending.delete(id)
    if (lost === 0 && port !== undefined) {
      if (descriptors.length > 0 || proxies.length > 0) {
        if (settles(port, message)) return true
      } else port.listeners.tell(message)
    }
    closeAll(descriptors)
    if (lost > 0) port?.listeners.tell(throwingItself(id, lostOnTheWay()))
    return false
  }

  /** To what the peer has passed by proxy. */
  #portTo(channel: number): InStreamPort {
    const port: InStreamPort = new InStreamPort({
      channel: { post: (message, transfer) => this.#post(channel, port, message, transfer), close: () => {} },
    })
    return port
  }

  /** To the same object as another port: what is released there stays. */
  #anotherPort(channel: number): InStreamPort {
    const port: InStreamPort = new InStreamPort({
      channel: {
        post: (message, transfer) => message.type !== 'RELEASE' && this.#post(channel, port, message, transfer),
        close: () => {},
      },
    })
    return port
  }

  #end(error: Error): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    const pending = [...this.#pending]
    this.#pending.clear()
    for (const [id, port] of pending) port.listeners.tell(throwingItself(id, error))
    for (const { listeners } of [...this.#exposed.values()]) listeners.tell({ id: '', type: 'RELEASE', path: [] })
    this.#exposed.clear()
    this.#link.close()
  }

  #overloaded(): RpcError {
    return new RpcError('overloaded', `more than ${this.#maxQueued} bytes wait for the peer to read them (maxQueued)`)
  }
}

/**
 * Whether the answer settled a call. comlink drops that of a call whose proxy was released, and says so to nobody: but the
 * language asks what settles a promise for `then` at once.
 */
function settles({ listeners }: Port, message: Message): boolean {
  let asked = false
  const watched: Message = Object.defineProperty({ ...message }, 'then', {
    get: () => {
      asked = true
      return undefined
    },
  })
  listeners.tell(watched)
  return asked
}

function lostOnTheWay(): DescriptorLostError {
  return new DescriptorLostError("a descriptor of the message was lost on the way: the receiver's table was full")
}

function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor.close()
}
