/**
 * RpcSession: one connection, with a main object at each end. Public; the state machine is machine/connection.ts.
 */
import { UsageError } from '../errors.js'
import { FrameStream } from '../stream/index.js'
import type { Peer } from '../transport/index.js'
import type { Capability } from './machine/capability.js'
import { Connection } from './machine/connection.js'
import type { Vat } from './machine/vat.js'
import { type RpcOptions, type RpcSettings, rpcSettings } from './options.js'
import { vatOf } from './realm.js'
import { RpcError } from './rpc-error.js'
import { handleOf } from './stubs/handle.js'
import { stubOf } from './stubs/proxy.js'
import type { RpcStub } from './stubs/types.js'
import type { RpcTransport } from './transport.js'
import { FrameStreamTransport } from './transports/frame-stream-transport.js'
import { PillionWire } from './wire/pillion-wire.js'

export class RpcSession<Remote = unknown> {
  readonly #connection: Connection
  readonly #vat: Vat
  readonly #transport: RpcTransport
  readonly #drains: (() => void)[] = []
  #error: RpcError | undefined
  #ended = false
  #abnormal = false
  #closed: Promise<void> | undefined
  #settleClosed: { resolve(): void; reject(error: Error): void } | undefined
  #main: Capability | undefined

  /**
   * Begins a session over a frame stream or another transport, which it owns from now on.
   * @param main what the peer's `getRemoteMain()` stands for: an RpcTarget, a function, a plain object of functions and
   * values, or a stub. Disposed of when the session ends, if nobody else holds it.
   * Throws UsageError for options and a main that can never work; the stream is then still the caller's.
   */
  constructor(stream: FrameStream | RpcTransport, main: unknown = {}, options: RpcOptions = {}) {
    const settings: RpcSettings = rpcSettings(options)
    this.#vat = vatOf(settings)
    const held = holdMain(main, this.#vat)
    this.#transport = stream instanceof FrameStream ? new FrameStreamTransport(stream) : stream
    const { peer } = this.#transport
    this.#connection = new Connection(
      this.#vat,
      this.#transport,
      new PillionWire(),
      held,
      { peer, publicSession: this },
      settings.limits,
      {
        onEnd: (error, abnormal) => this.#onEnd(error, abnormal),
        onIdle: () => this.#onIdle(),
      },
    )
    this.#connection.start()
  }

  /** A stub of the peer's main object; calls can be made on it at once. Dispose of it when it is done with. */
  getRemoteMain(): RpcStub<Remote> {
    this.#main ??= this.#connection.bootstrap()
    return stubOf(this.#main.addRef(), this.#vat) as unknown as RpcStub<Remote>
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

  /** Resolves when no call is under way in either direction. Rejects when the session ends before that. */
  drain(): Promise<void> {
    if (this.#ended) return this.#abnormal ? Promise.reject(this.#error as RpcError) : Promise.resolve()
    if (this.#connection.idle) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#drains.push(() => (this.#abnormal ? reject(this.#error) : resolve()))
    })
  }

  /**
   * Ends the session: what is under way rejects with `disconnected`, here and at the peer. Resolves when it has ended.
   * To let calls end first, await `drain()`.
   */
  close(): Promise<void> {
    this.#connection.close(new RpcError('disconnected', 'the session was closed', { origin: 'local' }))
    return this.#abnormal ? Promise.resolve() : this.closed
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

  #onIdle(): void {
    if (this.#drains.length > 0 && this.#connection.idle) for (const drained of this.#drains.splice(0)) drained()
  }

  #onEnd(error: RpcError, abnormal: boolean): void {
    this.#ended = true
    this.#error = error
    this.#abnormal = abnormal
    this.#main?.release()
    for (const drained of this.#drains.splice(0)) drained()
    this.#settle()
  }

  #settle(): void {
    if (this.#abnormal) this.#settleClosed?.reject(this.#error as RpcError)
    else this.#settleClosed?.resolve()
  }
}

/** A reference to what the session serves. */
function holdMain(main: unknown, vat: Vat): Capability {
  const capability = handleOf(main)?.capability
  if (capability !== undefined) return capability.addRef()
  if (typeof main === 'function' || (typeof main === 'object' && main !== null)) return vat.hold(main)
  throw new UsageError('main is an RpcTarget, a function, an object or a stub')
}
