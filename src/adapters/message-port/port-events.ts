/**
 * PortEvents: the events of a MessagePort, in both of its manners: `on` gives what was posted, `addEventListener` and
 * `onmessage` an event with it as `data`. Knows nothing of how messages travel.
 */
import { EventEmitter } from 'eventemitter3'
import type { Descriptor } from '../../stream/index.js'
import { closeAll } from '../link/unwanted.js'

export interface PortEventMap {
  message: [value: unknown]
  /** A message that could not be read: the port goes on. */
  messageerror: [error: Error]
  /** Once, behind the last message; with what ended it badly. */
  close: [error?: Error]
}

type Name = keyof PortEventMap
type Listener = (event: Event) => void
type Handler = Listener | { handleEvent(event: Event): void }

export abstract class PortEvents {
  readonly #emitter = new EventEmitter<PortEventMap>()
  readonly #adapted = new Map<Name, Map<Handler, (value?: unknown) => void>>()
  #onmessage: Handler | null = null

  /** Begins to deliver. Listening to `message` by `on`, `once` or `onmessage` does it too. */
  abstract start(): void

  on<E extends Name>(event: E, listener: EventEmitter.EventListener<PortEventMap, E>): this {
    this.#emitter.on(event, listener)
    if (event === 'message') this.start()
    return this
  }

  once<E extends Name>(event: E, listener: EventEmitter.EventListener<PortEventMap, E>): this {
    this.#emitter.once(event, listener)
    if (event === 'message') this.start()
    return this
  }

  off<E extends Name>(event: E, listener: EventEmitter.EventListener<PortEventMap, E>): this {
    this.#emitter.off(event, listener)
    return this
  }

  /** As of an EventTarget: each listener once for each event. It does not start the port. */
  addEventListener(event: Name, listener: Handler): void {
    const known = this.#adapted.get(event) ?? new Map<Handler, (value?: unknown) => void>()
    this.#adapted.set(event, known)
    if (known.has(listener)) return
    const adapted = (value?: unknown) => {
      const told = event === 'close' ? new Event(event) : new MessageEvent(event, { data: value })
      if (typeof listener === 'function') listener(told)
      else listener.handleEvent(told)
    }
    known.set(listener, adapted)
    this.#emitter.on(event, adapted as never)
  }

  removeEventListener(event: Name, listener: Handler): void {
    const adapted = this.#adapted.get(event)?.get(listener)
    if (adapted === undefined) return
    this.#adapted.get(event)?.delete(listener)
    this.#emitter.off(event, adapted as never)
  }

  get onmessage(): Handler | null {
    return this.#onmessage
  }

  set onmessage(listener: Handler | null) {
    if (this.#onmessage !== null) this.removeEventListener('message', this.#onmessage)
    this.#onmessage = listener
    if (listener === null) return
    this.addEventListener('message', listener)
    this.start()
  }

  /** The descriptors are the listeners'; without any, they are closed. */
  protected emitMessage(value: unknown, descriptors: readonly Descriptor[]): void {
    if (!this.#emitter.emit('message', value)) closeAll(descriptors)
  }

  protected emitError(error: Error): void {
    this.#emitter.emit('messageerror', error)
  }

  protected emitClose(error?: Error): void {
    if (error === undefined) this.#emitter.emit('close')
    else this.#emitter.emit('close', error)
  }
}
