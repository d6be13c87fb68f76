/**
 * Server: a listening socket whose connections are frame streams, by event or by iteration, one of the two.
 *
 * Nothing is accepted before somebody consumes: until then the kernel's backlog holds the connections. Knows nothing of
 * what the streams carry.
 */

import { EventEmitter } from 'eventemitter3'
import { checkFunction } from '../arguments.js'
import { ClosedError, type PillionError, UsageError } from '../errors.js'
import { warnOfAuthorize } from '../transport/admission.js'
import {
  type AcceptPressure,
  type Address,
  type Descriptor,
  formatAddress,
  Listener,
  type ListenerOptions,
  type Peer,
} from '../transport/index.js'
import { onAbort } from '../transport/shared-signal.js'
import { FrameStream } from './frame-stream.js'
import { type StreamOptions, type StreamSettings, streamSettings } from './options.js'

export interface ListenOptions extends StreamOptions, ListenerOptions {
  readonly signal?: AbortSignal
}

export interface ServerEvents {
  /** While nobody listens, nothing is accepted: `once` takes one, and leaves the others in the backlog. */
  connection: [stream: FrameStream]
  /** Accepting waits: this process or machine is out of descriptors or memory. */
  pressure: [pressure: AcceptPressure]
  /** A peer was turned away by `authorize` or for its uid; `error` is what `authorize` threw. */
  refused: [peer: Peer, error?: unknown]
  error: [error: PillionError]
  close: []
}

/**
 * Listens on a Unix socket. A stale socket file (nobody listens behind it) is replaced, a living one is refused with
 * SystemError 'EADDRINUSE'; the file's mode is 0600 unless `mode` says otherwise, from its first moment.
 *
 * Rejects as `connect` does. `signal` ends the waiting, and closes the server later on.
 */
export async function listen(address: Address, options: ListenOptions = {}): Promise<Server> {
  streamSettings(options)
  const listener = await Listener.listen(address, options)
  if (options.signal?.aborted === true) {
    listener.close() // aborted when there was nothing to wait for any more
    throw options.signal.reason
  }
  return new Server(listener, options)
}

interface Taker {
  resolve(result: IteratorResult<FrameStream, undefined>): void
  reject(error: Error): void
}

const finished: IteratorReturnResult<undefined> = { value: undefined, done: true }

export class Server extends EventEmitter<ServerEvents> implements AsyncIterable<FrameStream>, AsyncDisposable {
  readonly #listener: Listener
  /** What the streams' errors name. */
  readonly #addressText: string
  readonly #settings: StreamSettings
  readonly #waiting: FrameStream[] = []
  readonly #takers: Taker[] = []
  /** What ended it, until whoever iterates has been told. */
  #failure: PillionError | undefined
  #consumer: 'connection' | 'iterator' | undefined
  readonly #stopListening: (() => void) | undefined

  /** Use `listen`. */
  constructor(listener: Listener, options: ListenOptions) {
    super()
    this.#listener = listener
    this.#addressText = formatAddress(listener.address)
    const { signal } = options // it is not each stream's
    this.#settings = streamSettings(options)
    if (signal?.aborted === true) void this.close()
    else if (signal !== undefined) this.#stopListening = onAbort(signal, () => void this.close())
  }

  /** The address listened on; connect to it. */
  get address(): Address {
    return this.#listener.address
  }

  get closed(): boolean {
    return this.#listener.closed
  }

  override on<E extends keyof ServerEvents>(
    event: E,
    listener: EventEmitter.EventListener<ServerEvents, E>,
    context?: unknown,
  ): this {
    checkFunction('a listener', listener)
    if (event === 'connection') this.#consume('connection')
    super.on(event, listener, context)
    return this.#heed()
  }

  override addListener<E extends keyof ServerEvents>(
    event: E,
    listener: EventEmitter.EventListener<ServerEvents, E>,
    context?: unknown,
  ): this {
    return this.on(event, listener, context)
  }

  override once<E extends keyof ServerEvents>(
    event: E,
    listener: EventEmitter.EventListener<ServerEvents, E>,
    context?: unknown,
  ): this {
    checkFunction('a listener', listener)
    if (event === 'connection') this.#consume('connection')
    super.once(event, listener, context)
    return this.#heed()
  }

  /** `emit` calls it as well, for who listens `once`, before their listener runs. */
  override removeListener<E extends keyof ServerEvents>(
    event: E,
    listener?: EventEmitter.EventListener<ServerEvents, E>,
    context?: unknown,
    once?: boolean,
  ): this {
    super.removeListener(event, listener, context, once)
    return this.#heed()
  }

  override off<E extends keyof ServerEvents>(
    event: E,
    listener?: EventEmitter.EventListener<ServerEvents, E>,
    context?: unknown,
    once?: boolean,
  ): this {
    return this.removeListener(event, listener, context, once)
  }

  override removeAllListeners(event?: keyof ServerEvents): this {
    super.removeAllListeners(event)
    return this.#heed()
  }

  /** The connections, one at a time as they are asked for. Leaving the loop closes the server. */
  [Symbol.asyncIterator](): AsyncIterableIterator<FrameStream, undefined> {
    this.#consume('iterator')
    const iterator: AsyncIterableIterator<FrameStream, undefined> = {
      next: () => {
        const stream = this.#waiting.shift()
        if (stream !== undefined) return Promise.resolve({ value: stream, done: false })
        if (this.closed) return this.#afterEnd()
        this.#listener.resume()
        return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }))
      },
      return: async () => {
        await this.close()
        return finished
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  /** Keeps the process alive while listening (the default), or not. */
  ref(): this {
    this.#listener.ref()
    return this
  }

  unref(): this {
    this.#listener.unref()
    return this
  }

  /**
   * Stops listening and removes the socket file, if it is still this server's. Streams handed out live on; those that
   * nobody has taken yet are destroyed.
   */
  close(): Promise<void> {
    if (this.closed && this.#waiting.length === 0) return Promise.resolve()
    this.#stopListening?.()
    this.#listener.close()
    this.#ended()
    return Promise.resolve()
  }

  /**
   * Gives the listening socket away, as `close` but for this: the socket's file stays, those who connect wait in the
   * backlog until somebody listens on with `listen({ fd: socket })`, and streams that nobody has taken yet can still be
   * taken. Nobody is turned away meanwhile. The caller's from now on. Throws ClosedError once closed.
   */
  detach(): Descriptor {
    const socket = this.#listener.detach()
    try {
      this.#stopListening?.()
      this.#doneAccepting()
    } catch (error) {
      socket.close() // a listener has thrown, and the caller is not given it
      throw error
    }
    return socket
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #afterEnd(): Promise<IteratorResult<FrameStream, undefined>> {
    const failure = this.#failure
    this.#failure = undefined
    return failure === undefined ? Promise.resolve(finished) : Promise.reject(failure)
  }

  #consume(consumer: 'connection' | 'iterator'): void {
    if (this.closed) throw new ClosedError('the server is closed')
    if (this.#consumer === consumer && consumer === 'connection') return
    const taken = this.#consumer === 'iterator' || (this.#consumer === 'connection' && this.#isHeard)
    if (taken) {
      throw new UsageError(`this server's connections go to its ${this.#consumer} already: one way of taking them`)
    }
    const accepts = this.#consumer !== undefined
    this.#consumer = consumer
    if (!accepts) this.#accept()
    if (consumer === 'iterator') this.#listener.pause()
  }

  get #isHeard(): boolean {
    return this.listenerCount('connection') > 0
  }

  /** Leaves connections in the backlog while nobody would be told of them. */
  #heed(): this {
    if (this.closed || this.#consumer !== 'connection') return this
    if (this.#isHeard) this.#listener.resume()
    else this.#listener.pause()
    return this
  }

  #accept(): void {
    this.#listener.accept({
      onConnection: (fd) => this.#deliver(fd),
      onPressure: (pressure) => void this.emit('pressure', pressure),
      onRefused: (peer, error) => {
        if (!this.emit('refused', peer, error) && error !== undefined) {
          warnOfAuthorize(error, formatAddress(this.address))
        }
      },
      onError: (error) => {
        this.emit('error', error)
        this.#ended(error)
      },
    })
  }

  #deliver(fd: number): void {
    const stream = FrameStream.over(fd, this.#settings, this.#addressText)
    if (this.#consumer === 'iterator') {
      const taker = this.#takers.shift()
      if (taker === undefined) this.#waiting.push(stream)
      else taker.resolve({ value: stream, done: false })
      // One that was accepted with others in the same turn waits; the rest stays in the backlog.
      if (this.#takers.length === 0) this.#listener.pause()
    } else if (!this.emit('connection', stream)) {
      stream.destroy() // `authorize` has taken the last listener away
    }
  }

  /** With an error, whoever iterates is told of it, once. */
  #ended(error?: PillionError): void {
    for (const stream of this.#waiting.splice(0)) stream.destroy()
    this.#doneAccepting(error)
  }

  #doneAccepting(error?: PillionError): void {
    const [first, ...others] = this.#takers.splice(0)
    if (error === undefined || first === undefined) this.#failure = error
    if (error === undefined) first?.resolve(finished)
    else first?.reject(error)
    for (const taker of others) taker.resolve(finished)
    this.emit('close')
  }
}
