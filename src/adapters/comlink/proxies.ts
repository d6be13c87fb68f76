/**
 * Proxies: objects that are passed by proxy, either way: those of ours that the peer can call, by channel, until they are
 * released, and ports to those of the peer's. The endpoint itself is channel 0.
 */
import { UsageError } from '../../errors.js'
import { RpcError } from '../../rpc/index.js'
import { InStreamPort, type Listeners, substituteOf } from './in-stream-port.js'
import { type Message, wireValuesOf } from './messages.js'

/** Whose listeners a message is for. */
export interface Port {
  readonly listeners: Listeners
}

/** Sends what a port posts on its channel. */
export type Post = (channel: number, port: Port, message: Message, transfer: readonly object[]) => void

export class Proxies {
  /** Where the peer's calls go. */
  readonly #exposed = new Map<number, Port>()
  readonly #most: number
  readonly #post: Post
  #channels = 0

  constructor(endpoint: Port, most: number, post: Post) {
    this.#exposed.set(0, endpoint)
    this.#most = most
    this.#post = post
  }

  /** What the peer calls; undefined: it has been released. */
  called(channel: number): Port | undefined {
    return this.#exposed.get(channel)
  }

  /**
   * Sends a message that passes what is in its transfer list.
   * @param send is given the places of the proxies in it and their channels, in turn; if it throws, they are released
   */
  pass(message: Message, transfer: readonly object[], send: (places: readonly number[]) => void): void {
    const substitutes = new Map<object, InStreamPort>()
    try {
      for (const object of transfer) {
        const substitute = substituteOf(object)
        if (substitute !== undefined) substitutes.set(object, substitute)
      }
      send(substitutes.size === 0 ? [] : this.#placesOf(substitutes, message))
    } catch (error) {
      for (const substitute of substitutes.values()) substitute.close()
      throw error
    }
  }

  /** Puts ports in the places of the proxies in a message that came. */
  receive(message: Message, places: readonly number[]): InStreamPort[] {
    const values = wireValuesOf(message) as { value: unknown }[]
    const ports: InStreamPort[] = []
    for (let i = 0; i < places.length; i += 2) {
      const port = this.#portTo(-places[i + 1]!, () => true)
      values[places[i]!]!.value = port
      ports.push(port)
    }
    return ports
  }

  /** Another port to what a channel leads to: what is released there stays. */
  anotherPort(channel: number): InStreamPort {
    return this.#portTo(channel, ({ type }) => type !== 'RELEASE')
  }

  releaseAll(): void {
    for (const { listeners } of [...this.#exposed.values()]) listeners.tell({ id: '', type: 'RELEASE', path: [] })
    this.#exposed.clear()
  }

  #portTo(channel: number, goes: (message: Message) => boolean): InStreamPort {
    const port: InStreamPort = new InStreamPort({
      channel: {
        post: (message, transfer) => goes(message) && this.#post(channel, port, message, transfer),
        close: () => {},
      },
    })
    return port
  }

  /** Takes the ports out of the message, whose substitutes lead to channels from now on. */
  #placesOf(substitutes: ReadonlyMap<object, InStreamPort>, message: Message): number[] {
    const values = wireValuesOf(message) as { value: unknown }[]
    if (this.#exposed.size + substitutes.size > this.#most + 1) {
      throw new RpcError('overloaded', `the peer holds ${this.#most} proxies (maxProxies): release some`)
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
}
