/**
 * RpcSession: one connection, with a main object at each end. Public; the state machine is machine/connection.ts.
 *
 * Has the time: keep-alive, draining with a bound. Knows neither how sessions come about (serve.ts, dial.ts) nor messages.
 */
import { UsageError } from '../errors.js'
import { clearTimeout, nextTick, setTimeout } from '../event-loop.js'
import { FrameStream } from '../stream/index.js'
import type { Peer } from '../transport/index.js'
import { warnOnce } from '../transport/warn-once.js'
import { KeepAlive } from './keep-alive.js'
import type { Capability } from './machine/capability.js'
import { Connection } from './machine/connection.js'
import type { Vat } from './machine/vat.js'
import { checkDrain, type RpcOptions, type RpcSettings, rpcSettings } from './options.js'
import { vatOf } from './realm.js'
import { RpcError } from './rpc-error.js'
import { handleOf } from './stubs/handle.js'
import { stubOf } from './stubs/proxy.js'
import type { RpcStub } from './stubs/types.js'
import type { RpcTransport } from './transport.js'
import { FrameStreamTransport } from './transports/frame-stream-transport.js'
import { PillionWire } from './wire/pillion-wire.js'

export interface CloseOptions {
  /**
   * Milliseconds for which calls that are under way may go on, while new ones of the peer's are refused with
   * `disconnected`. Default 0: none.
   */
  readonly drain?: number
}

/** What the rest of the layer does with a session, out of its users' sight. */
export const internals: unique symbol = Symbol('pillion.session')

export interface SessionInternals {
  readonly vat: Vat
  /** The peer's main object; a reference of the caller's own. */
  main(): Capability
  /** Calls back once, when it has ended, with what ended it abnormally; that counts as somebody who is told. */
  onEnd(callback: (error: RpcError | undefined) => void): void
  /** Ends it, and tells the peer why. */
  refuse(error: Error): void
}

export class RpcSession<Remote = unknown> implements AsyncDisposable {
  readonly #connection: Connection
  readonly #vat: Vat
  readonly #transport: RpcTransport
  readonly #keepAlive: KeepAlive | undefined
  readonly #drains: (() => void)[] = []
  readonly #endCallbacks: ((error: RpcError | undefined) => void)[] = []
  #error: RpcError | undefined
  #ended = false
  #abnormal = false
  #closed: Promise<void> | undefined
  #settleClosed: { resolve(): void; reject(error: Error): void } | undefined
  #main: Capability | undefined

  /**
   * Begins a session over a frame stream or another transport, which it owns from now on.
   * @param main what the peer's `getRemoteMain()` stands for: an RpcTarget, a function, a plain object of functions and
   * values, or a stub, which stays the caller's. An object is disposed of when the session ends, if nobody else holds it.
   * Throws UsageError for options and a main that can never work; the stream is then still the caller's.
   */
  constructor(stream: FrameStream | RpcTransport, main: unknown = {}, options: RpcOptions = {}) {
    const settings: RpcSettings = rpcSettings(options)
    this.#vat = vatOf(settings)
    const held = holdMain(main, this.#vat)
    try {
      this.#transport = stream instanceof FrameStream ? new FrameStreamTransport(stream) : stream
    } catch (error) {
      held.release()
      throw error
    }
    const { peer } = this.#transport
    this.#connection = new Connection(
      this.#vat,
      this.#transport,
      new PillionWire(),
      held,
      { peer, publicSession: this },
      settings.limits,
      {
        onEnd: (error, abnormal, told) => this.#onEnd(error, abnormal, told),
        onIdle: () => this.#onIdle(),
        onHeard: () => this.#keepAlive?.heard(),
      },
    )
    if (settings.keepAlive > 0) this.#keepAlive = this.#watchOver(settings.keepAlive)
    this.#connection.start()
  }

  /** A stub of the peer's main object; calls can be made on it at once. Dispose of it when it is done with. */
  getRemoteMain(): RpcStub<Remote> {
    return stubOf(this[internals].main(), this.#vat) as unknown as RpcStub<Remote>
  }

  /** Who is at the other end, from the kernel; undefined where the transport does not know. */
  get peer(): Peer | undefined {
    return this.#transport.peer
  }

  /** Objects of the peer's that are held here, and of ours that it holds. */
  getStats(): { imports: number; exports: number } {
    const { imports, exports } = this.#connection.stats
    return { imports, exports }
  }

  /**
   * Resolves when no call is under way in either direction; new ones can still be made, by both. Rejects when the session
   * ends abnormally before that. Word of what was let go of before is sent at once.
   */
  drain(): Promise<void> {
    if (!this.#ended) this.#connection.flushUnawaited() // which may end it
    if (this.#ended) return this.#abnormal ? Promise.reject(this.#error as RpcError) : Promise.resolve()
    if (this.#connection.idle) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#drains.push(() => (this.#abnormal ? reject(this.#error) : resolve()))
    })
  }

  /**
   * Ends the session: what is under way rejects with `disconnected`, here and at the peer; with `drain`, it may end first.
   * Resolves when the session has ended, however it did; `closed` says how. Throws UsageError for a `drain` that is no
   * number.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    const drain = checkDrain(options)
    if (drain > 0 && !this.#ended) await this.#drainWithin(drain)
    this.#connection.close(new RpcError('disconnected', 'the session was closed', { origin: 'local' }))
  }

  /** Resolves when the session has ended properly, by either side; rejects with what ended it otherwise. */
  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = new Promise((resolve, reject) => {
        this.#settleClosed = { resolve, reject }
      })
      this.#closed.catch(() => {}) // whoever awaits it is told all the same
      if (this.#ended) this.#settle()
    }
    return this.#closed
  }

  /** Keeps the process alive while it is open (the default), or not. */
  ref(): this {
    this.#transport.ref()
    return this
  }

  unref(): this {
    this.#transport.unref()
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Not for users of the package. @internal */
  get [internals](): SessionInternals {
    return {
      vat: this.#vat,
      main: () => {
        this.#main ??= this.#connection.bootstrap()
        return this.#main.addRef()
      },
      onEnd: (callback) => {
        if (this.#ended) callback(this.#abnormal ? this.#error : undefined)
        else this.#endCallbacks.push(callback)
      },
      refuse: (error) => this.#connection.fail(error),
    }
  }

  #watchOver(interval: number): KeepAlive {
    return new KeepAlive(interval, {
      ask: () => this.#connection.ping(),
      onSilence: () => {
        const message = `nothing was heard of the peer for ${2 * interval} ms (keepAlive)`
        this.#connection.fail(new RpcError('disconnected', message))
      },
    })
  }

  async #drainWithin(milliseconds: number): Promise<void> {
    this.#connection.refuseCalls(new RpcError('disconnected', 'the session is being closed'))
    let timer: NodeJS.Timeout | undefined
    const bound = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(milliseconds, 0x7fff_ffff))
    })
    // If it ends abnormally meanwhile, that is what `closed` says.
    await Promise.race([this.drain().catch(() => {}), bound])
    clearTimeout(timer)
  }

  #onIdle(): void {
    if (this.#drains.length > 0 && this.#connection.idle) for (const drained of this.#drains.splice(0)) drained()
  }

  #onEnd(error: RpcError, abnormal: boolean, told: boolean): void {
    this.#ended = true
    this.#error = error
    this.#abnormal = abnormal
    this.#keepAlive?.stop()
    this.#main?.release()
    const observed = told || this.#drains.length > 0 || this.#endCallbacks.length > 0
    for (const drained of this.#drains.splice(0)) drained()
    this.#settle()
    for (const callback of this.#endCallbacks.splice(0)) callback(abnormal ? error : undefined)
    if (abnormal && !observed) nextTick(() => this.#warnUnlessObserved(error))
  }

  /** Behind the code that is running, which may be about to look. */
  #warnUnlessObserved(error: RpcError): void {
    if (this.#closed === undefined) warnOfEnd(error)
  }

  #settle(): void {
    if (this.#abnormal) this.#settleClosed?.reject(this.#error as RpcError)
    else this.#settleClosed?.resolve()
  }
}

/** A session ended abnormally and nobody was there to be told. */
export function warnOfEnd(error: RpcError): void {
  warnOnce(
    'PILLION_UNOBSERVED_ERROR',
    `an RPC session ended abnormally and nobody looks: ${error.message}`,
    "Await the session's `closed`, or listen to the server's 'ended'.",
  )
}

/** A reference to what is served. Throws UsageError for what cannot be. */
export function holdMain(main: unknown, vat: Vat): Capability {
  const handle = handleOf(main)
  if (handle?.disposed === true) throw new UsageError('main is a stub that is disposed of')
  if (handle?.capability !== undefined) return handle.capability.addRef()
  if (handle === undefined && (typeof main === 'function' || (typeof main === 'object' && main !== null))) {
    return vat.hold(main)
  }
  throw new UsageError('main is an RpcTarget, a function, an object or a stub')
}
