/**
 * The calls of one connection, as far as descriptors are concerned: what was received for one is closed when it has ended,
 * unless somebody took it by then; an answer to nobody's question is closed at once. Knows no stream.
 */
import type { Message, MessageStrategy } from 'vscode-jsonrpc/node'
import type { Descriptor } from '../../stream/index.js'
import type { Envelope } from './encoding.js'

export class Calls {
  /** Ids of requests that were sent and not answered. */
  readonly #questions = new Set<unknown>()
  /** Of messages that wait for their turn in the connection. */
  readonly #waiting = new Map<unknown, readonly Descriptor[]>()
  #running = 0
  #onIdle: (() => void) | undefined

  sent({ id, method }: Envelope): void {
    if (method !== undefined && id !== undefined) this.#questions.add(id)
  }

  /**
   * The connection is about to be given a message.
   * @param atOnce an answer is: then it does not wait for its turn
   */
  received(message: Envelope, descriptors: readonly Descriptor[], atOnce: boolean): void {
    const isAnswer = message.method === undefined
    const asked = isAnswer && this.#questions.delete(message.id)
    if (descriptors.length === 0 || (asked && atOnce)) return
    if (isAnswer && !asked) closeAll(descriptors)
    else this.#waiting.set(message, descriptors)
  }

  /** For a connection's options: it tells when a message has its turn, and when its call has ended. */
  strategy(inner?: MessageStrategy): MessageStrategy {
    return {
      handleMessage: (message: Message & Envelope, next) => {
        const descriptors = this.#waiting.get(message)
        this.#waiting.delete(message)
        if (message.method !== undefined) this.#running++
        const ending = inner === undefined ? next(message) : inner.handleMessage(message, next)
        if (message.method === undefined) return ending // what is in an answer is the caller's
        const ended = () => {
          if (descriptors !== undefined) closeAll(descriptors)
          if (--this.#running === 0) this.#onIdle?.()
        }
        Promise.resolve(ending).then(ended, ended)
        return ending
      },
    }
  }

  /** The connection has forgotten what waits. */
  dispose(): void {
    for (const descriptors of this.#waiting.values()) closeAll(descriptors)
    this.#waiting.clear()
  }

  /** Calls back once no call runs here, at once where that is so already. */
  whenIdle(callback: () => void): void {
    if (this.#running === 0) callback()
    else this.#onIdle = callback
  }
}

function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor.close()
}
