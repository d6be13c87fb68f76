/**
 * RpcServer: the sessions of a listening socket, from the connection to the end of the last.
 *
 * What listens is a frame server (stream/server.ts), which it owns; it knows no messages. A peer, or a main that cannot be
 * made, never ends the process.
 */
import { EventEmitter } from 'eventemitter3'
import type { PillionError } from '../errors.js'
import type { FrameStream, Server } from '../stream/index.js'
import type { AcceptPressure, Address, Peer } from '../transport/index.js'
import { warnOnce } from '../transport/warn-once.js'
import type { Capability } from './machine/capability.js'
import { checkDrain } from './options.js'
import { asError, RpcError } from './rpc-error.js'
import type { ServeOptions } from './serve.js'

import { type CloseOptions, internals, RpcSession, warnOfEnd } from './session.js'
import { handleOf } from './stubs/handle.js'

export interface RpcServerEvents {
  /** A session has begun; its peer is `session.peer`. */
  connection: [session: RpcSession]
  /** A session has ended, with what ended it abnormally. */
  ended: [session: RpcSession, error: RpcError | undefined]
  /** A peer was turned away: by `authorize`, for its uid, by the main factory (`error` is what either threw), or by a limit. */
  refused: [peer: Peer, error?: unknown]
  /** Accepting waits: this process or machine is out of descriptors or memory. */
  pressure: [pressure: AcceptPressure]
  /** Accepting has ended for another reason than `close`. The sessions live on until then. */
  error: [error: PillionError]
  close: []
}

/** Makes the main object of a connection. Throwing refuses the connection; its peer is told why. */
export type MainFactory = (peer: Peer) => unknown

/** What connections are served: one object for all, of which a reference is held until the end, or one for each. */
export type MainSource = { readonly main: object; readonly held: Capability } | { readonly factory: MainFactory }

/** Milliseconds that calls have when a server closes. */
const defaultDrain = 5000

/** Use `serve`. */
export class RpcServer extends EventEmitter<RpcServerEvents> implements AsyncDisposable {
  readonly #server: Server
  readonly #source: MainSource
  readonly #maxConnections: number
  readonly #options: ServeOptions
  readonly #sessions = new Set<RpcSession>()
  /** Connections whose main is being made. */
  readonly #waiting = new Set<FrameStream>()
  readonly #onAbort = (): void => void this.close({ drain: 0 })
  #closing: Promise<void> | undefined

  /** @internal Takes over the server and the reference. */
  constructor(server: Server, source: MainSource, maxConnections: number, options: ServeOptions) {
    super()
    this.#server = server
    this.#source = source
    this.#maxConnections = maxConnections
    this.#options = options
    const { signal } = options
    if (signal?.aborted === true) {
      this.#onAbort() // at the very end of the listening
      return
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    server.on('pressure', (pressure) => void this.emit('pressure', pressure))
    server.on('refused', (peer, error) => this.#refused(peer, error))
    server.on('error', (error) => this.#stoppedAccepting(error))
    server.on('connection', (stream) => this.#connected(stream))
  }

  /** The address listened on; dial it. */
  get address(): Address {
    return this.#server.address
  }

  /** Those that have not ended; a view, not a copy. */
  get sessions(): ReadonlySet<RpcSession> {
    return this.#sessions
  }

  /** It listens no more; sessions may still be draining. */
  get closed(): boolean {
    return this.#server.closed
  }

  /**
   * Stops listening and closes all sessions, as RpcSession.close does, but calls that are under way may end first: for
   * 5,000 ms, unless `drain` says otherwise. Resolves when the last session has ended. Called again, it waits for the same;
   * the first one's `drain` counts, but for one of 0, which ends the draining. Throws UsageError for a `drain` that is no
   * number.
   */
  close(options: CloseOptions = {}): Promise<void> {
    const drain = checkDrain({ drain: defaultDrain, ...options })
    if (this.#closing === undefined) this.#closing = this.#close(drain)
    else if (drain === 0) for (const session of [...this.#sessions]) void session.close()
    return this.#closing
  }

  /** Keeps the process alive while listening (the default), or not. Sessions do so by themselves. */
  ref(): this {
    this.#server.ref()
    return this
  }

  unref(): this {
    this.#server.unref()
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(drain: number): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    await this.#server.close()
    for (const stream of this.#waiting) stream.destroy()
    this.#waiting.clear()
    await Promise.all([...this.#sessions].map((session) => session.close({ drain })))
    if ('held' in this.#source) this.#source.held.release()
    this.emit('close')
  }

  /** Never throws, whatever the factory does. */
  #connected(stream: FrameStream): void {
    const { peer } = stream
    if (this.#sessions.size + this.#waiting.size >= this.#maxConnections) {
      const message = `${this.#maxConnections} connections are open, which is the limit (maxConnections)`
      this.#refuse(stream, peer, new RpcError('overloaded', message))
      return
    }
    if ('main' in this.#source) this.#begin(stream, peer, this.#source.main)
    else this.#makeMain(stream, peer, this.#source.factory)
  }

  #makeMain(stream: FrameStream, peer: Peer, factory: MainFactory): void {
    this.#waiting.add(stream)
    const made = (main: unknown): void => {
      const awaited = this.#waiting.delete(stream)
      if (awaited) this.#begin(stream, peer, main)
      // The session holds what is behind a stub by itself; an object is nobody's if the server was closed meanwhile.
      if (!awaited || handleOf(main) !== undefined) dispose(main)
    }
    const failed = (error: unknown): void => {
      if (this.#waiting.delete(stream)) this.#refuse(stream, peer, error)
    }
    let main: unknown
    try {
      main = factory(peer)
    } catch (error) {
      failed(error)
      return
    }
    if (isPromiseLike(main)) main.then(made, failed)
    else made(main)
  }

  #begin(stream: FrameStream, peer: Peer, main: unknown): void {
    let session: RpcSession
    try {
      session = new RpcSession(stream, main, this.#options)
    } catch (error) {
      this.#refuse(stream, peer, error) // a main that cannot be one
      return
    }
    this.#sessions.add(session)
    session[internals].onEnd((error) => {
      this.#sessions.delete(session)
      if (!this.emit('ended', session, error) && error !== undefined) warnOfEnd(error)
    })
    this.emit('connection', session)
  }

  /** The peer is told why: its calls reject with that. */
  #refuse(stream: FrameStream, peer: Peer, thrown: unknown): void {
    const error = asError(thrown)
    const { refuse, onEnd } = new RpcSession(stream)[internals]
    onEnd(() => {}) // told of here
    refuse(error)
    // Nobody who was refused keeps a descriptor of ours for longer than it takes to say why.
    const close = (): void => stream.destroy()
    stream.flush().then(close, close)
    this.#refused(peer, thrown)
  }

  #refused(peer: Peer, error: unknown): void {
    const told = error === undefined ? this.emit('refused', peer) : this.emit('refused', peer, error)
    if (told || error === undefined || (error instanceof RpcError && error.type === 'overloaded')) return
    warnOnce(
      'PILLION_AUTHORIZE_FAILED',
      `a peer was refused since authorize, or the factory of main, failed: ${asError(error).message}`,
      "Listen to 'refused'.",
    )
  }

  #stoppedAccepting(error: PillionError): void {
    if (this.emit('error', error)) return
    warnOnce(
      'PILLION_UNOBSERVED_ERROR',
      `a server accepts no more and nobody listens: ${error.message}`,
      "Listen to 'error'.",
    )
  }
}

/** What a factory has made, and gave away. */
function dispose(main: unknown): void {
  const dispose = (main as Partial<Disposable> | null | undefined)?.[Symbol.dispose]
  if (typeof dispose === 'function') dispose.call(main)
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
