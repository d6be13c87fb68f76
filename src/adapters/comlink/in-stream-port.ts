/**
 * InStreamPort: what stands in for a MessagePort where comlink passes one, in a stream that cannot carry any.
 *
 * Until it is known where a proxy is sent it may be any endpoint's, a worker's too: so there is a real port as well, and
 * the one of the two that is not needed is closed. Knows no frames.
 */
import type { Endpoint, TransferHandler } from 'comlink'
import { UsageError } from '../../errors.js'
import type { Message } from './messages.js'

/** What is needed of the module. */
export type Comlink = Pick<typeof import('comlink'), 'expose' | 'transferHandlers'>

/** Where a port's messages go. */
export interface Channel {
  post(message: Message, transfer: readonly object[]): unknown
  close(): unknown
}

/** What a MessagePort has that is used here: its type goes by other names in browsers and in Node. */
export interface RealPort {
  postMessage(message: unknown, transfer?: readonly object[]): void
  addEventListener(type: string, listener: object): void
  removeEventListener(type: string, listener: object): void
  start(): void
  close(): void
}

type Listener = ((event: { readonly data: Message }) => void) | { handleEvent(event: { readonly data: Message }): void }

export class Listeners {
  readonly #listeners = new Set<Listener>()

  /** comlink listens to messages alone. */
  add(type: string, listener: object): void {
    if (type === 'message') this.#listeners.add(listener as Listener)
  }

  remove(listener: object): void {
    this.#listeners.delete(listener as Listener)
  }

  /** False: nobody listens. Throws what a listener does. */
  tell(data: Message): boolean {
    if (this.#listeners.size === 0) return false
    for (const listener of [...this.#listeners]) {
      if ('handleEvent' in listener) listener.handleEvent({ data })
      else listener({ data })
    }
    return true
  }
}

export class InStreamPort implements Endpoint {
  readonly listeners = new Listeners()
  #real: RealPort | undefined
  #channel: Channel | undefined

  /** @param end one of the two: where it leads, or the real port that it replaces if it is sent by a stream */
  constructor(end: { readonly channel: Channel } | { readonly real: RealPort }) {
    if ('real' in end) this.#real = end.real
    else this.#channel = end.channel
  }

  postMessage(message: unknown, transfer: readonly object[] = []): void {
    if (this.#channel !== undefined) this.#channel.post(message as Message, transfer)
    else this.#real?.postMessage(message, transfer)
  }

  addEventListener(type: string, listener: object): void {
    this.listeners.add(type, listener)
    this.#real?.addEventListener(type, listener)
  }

  removeEventListener(type: string, listener: object): void {
    this.listeners.remove(listener)
    this.#real?.removeEventListener(type, listener)
  }

  start(): void {
    this.#real?.start()
  }

  /** It is sent by a stream: its real port is not needed any more. */
  lead(channel: Channel): void {
    this.#channel = channel
    this.#dropReal()
  }

  /** No more calls come. What is still running is answered all the same: what it came with is closed behind the answer. */
  close(): void {
    this.#dropReal()
    this.#channel?.close()
  }

  #dropReal(): void {
    const real = this.#real
    this.#real = undefined
    real?.close()
  }
}

// comlink closes what it has released if that is a MessagePort, which it knows by this name.
Object.defineProperty(InStreamPort, 'name', { value: 'MessagePort' })

/** By the real port that comlink will hand to an endpoint. */
const substitutes = new WeakMap<object, InStreamPort>()

/** What to use in place of a port that comlink transfers. Throws UsageError for one that is somebody's own. */
export function substituteOf(port: object): InStreamPort | undefined {
  const substitute = substitutes.get(port)
  if (substitute === undefined && (port instanceof MessagePort || port instanceof InStreamPort)) {
    throw new UsageError('a MessagePort cannot cross a stream: pass an object by comlink.proxy')
  }
  return substitute
}

/** Of what was in a transfer list: it is nobody's here any more, sent or not. */
export function giveUp(transferred: object): void {
  if (transferred instanceof ArrayBuffer) structuredClone(null, { transfer: [transferred] })
  else if (substitutes.has(transferred)) (transferred as RealPort).close()
}

const prepared = new WeakSet<object>()

/** Proxies can be sent by streams from now on, and by every other endpoint as before. */
export function sendProxiesInStream({ expose, transferHandlers }: Comlink): void {
  const handler = transferHandlers.get('proxy') as TransferHandler<object, unknown> | undefined
  if (handler === undefined || prepared.has(transferHandlers)) return
  prepared.add(transferHandlers)
  transferHandlers.set('proxy', {
    canHandle: (value): value is object => handler.canHandle(value),
    deserialize: (port) => handler.deserialize(port),
    serialize(object) {
      const { port1, port2 } = new MessageChannel()
      const port = new InStreamPort({ real: port1 as unknown as RealPort })
      expose(object, port)
      substitutes.set(port2, port)
      return [port2, [port2]]
    },
  })
}
