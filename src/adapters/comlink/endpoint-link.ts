/**
 * EndpointLink: comlink's messages on a stream, of the endpoint itself and of the proxies that are passed through it. It knows
 * which message is a call and which its answer, so that none is left pending and no descriptor open.
 */
import type { Endpoint } from 'comlink'
import { ClosedError, UsageError } from '../../errors.js'
import { RpcError } from '../../rpc/index.js'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { Untaken, type UntakenOptions } from '../link/untaken.js'
import { closeAll, lostOnTheWay, settles } from '../link/unwanted.js'
import { ValueLink, type ValueLinkOptions } from '../link/value-link.js'
import { checkHolder } from './answer-holder.js'
import { type Comlink, giveUp, Listeners } from './in-stream-port.js'
import { checkedFrame, type Frame, isCall, type Message, refusalOf, throwing, throwingItself } from './messages.js'
import { type Port, Proxies } from './proxies.js'
import { ShownCall } from './shown-call.js'

/** A call costs comlink more than a system call: the peer had better begin with the first answers soon. */
const answeredTogether = 16

export class EndpointLink {
  readonly root: Endpoint & { close(): void }
  readonly #link: ValueLink<Frame>
  readonly #proxies: Proxies
  /** Calls of ours that have no answer yet, and whose. */
  readonly #pending = new Map<string, Port>()
  /** Ids of calls of the peer's that have no answer yet, and what they came with. */
  readonly #running = new Set<unknown>()
  readonly #untaken: Untaken<unknown>
  readonly #handlers: Comlink['transferHandlers']
  #started = false

  constructor(
    stream: FrameStream,
    { transferHandlers }: Comlink,
    maxProxies: number,
    options: ValueLinkOptions & UntakenOptions,
  ) {
    this.#handlers = transferHandlers
    const { maxUntaken, ...limits } = options
    this.#link = new ValueLink(stream, limits, answeredTogether)
    this.#untaken = new Untaken(maxUntaken)
    const port = { listeners: new Listeners() }
    this.#proxies = new Proxies(port, maxProxies, (...posted) => this.#post(...posted))
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
    if (this.#started || this.#link.ended !== undefined) return
    this.#started = true
    this.#link.start({
      check: (value, withDescriptors) => {
        const frame = checkedFrame(value, this.#running)
        if (withDescriptors && !isCall(frame[1])) checkHolder(frame[1], this.#handlers)
        return frame
      },
      onMessage: (frame, descriptors, lost) => this.#receive(frame, descriptors, lost),
      onEnd: (error) => this.#end(error),
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
    if (type === 'RELEASE') {
      // By the collector, perhaps: nobody could catch anything. And comlink waits for no answer to it.
      if (this.#link.ended === undefined) this.#link.sendMoved([channel, message])
      return
    }
    if (type === 'ENDPOINT') {
      this.#link.checkRoom()
      port.listeners.tell({ id, type: 'RAW', value: this.#proxies.anotherPort(channel) })
      return
    }
    this.#send(channel, message, transfer, (frame) => this.#link.sendLent(frame))
    this.#pending.set(id as string, port)
  }

  /** Whoever called is told in any case: by comlink, if this throws. */
  #answer(channel: number, message: Message, transfer: readonly object[] = []): void {
    try {
      this.#send(channel, message, transfer, (frame) => this.#link.sendMoved(frame))
    } catch (error) {
      if (error instanceof UsageError) throw error // what cannot travel: comlink says so in its own words
      this.#link.sendMoved([channel, throwing(message.id, error)])
    } finally {
      this.#untaken.close(message.id)
      this.#running.delete(message.id)
    }
  }

  #send(channel: number, message: Message, transfer: readonly object[], send: (frame: Frame) => void): void {
    if (transfer.length === 0) send([channel, message])
    else this.#proxies.pass(message, transfer, (places) => send([channel, message, places]))
  }

  #receive([channel, message, proxies]: Frame, descriptors: readonly Descriptor[], lost: number): void {
    const ports = proxies === undefined ? [] : this.#proxies.receive(message, proxies)
    const wanted = isCall(message)
      ? this.#called(channel, message, descriptors, lost)
      : this.#answered(message, descriptors, lost, ports.length > 0)
    if (!wanted) for (const port of ports) port.postMessage({ id: '', type: 'RELEASE', path: [] })
  }

  /** Whether comlink has seen it: only then does it release the proxies in it. */
  #called(channel: number, message: Message, descriptors: readonly Descriptor[], lost: number): boolean {
    const { id } = message
    const refusal = lost > 0 ? lostOnTheWay() : refusalOf(message)
    this.#running.add(id)
    try {
      this.#untaken.add(id, descriptors)
      if (refusal !== undefined) throw refusal
      const call = new ShownCall(message)
      this.#proxies.called(-channel)?.listeners.tell(call)
      if (ShownCall.isWanted(call)) return true
      throw new RpcError('disconnected', 'what is called has been released, or is not exposed')
    } catch (error) {
      this.#answer(-channel, throwing(id, error))
      return false
    }
  }

  /** Whether it belongs to somebody, with the descriptors and the proxies in it. */
  #answered(message: Message, descriptors: readonly Descriptor[], lost: number, withProxies: boolean): boolean {
    const id = message.id as string
    const listeners = this.#pending.get(id)?.listeners
    this.#pending.delete(id)
    if (lost === 0 && listeners !== undefined) {
      if (descriptors.length === 0 && !withProxies) return listeners.tell(message)
      if (settles({ ...message }, undefined, (answer) => listeners.tell(answer))) return true
    }
    closeAll(descriptors)
    if (lost > 0) listeners?.tell(throwingItself(id, lostOnTheWay()))
    return false
  }

  #end(error: Error): void {
    if (this.#link.ended !== undefined) return
    this.#link.close(error)
    const pending = [...this.#pending]
    this.#pending.clear()
    for (const [id, { listeners }] of pending) listeners.tell(throwingItself(id, error))
    this.#proxies.releaseAll()
  }
}
