/**
 * ReconnectingMain: the main object at an address, by whichever session leads there at the moment.
 *
 * A call that finds the session lost has a new one made, and waits for it; so do those behind it. No call is sent twice,
 * and nothing is done while nobody calls.
 */
import { UsageError } from '../errors.js'
import { clearTimeout, queueMicrotask, setTimeout } from '../event-loop.js'
import type { Answer } from './machine/answer.js'
import { BrokenCapability } from './machine/broken-capability.js'
import { type CallRequest, Capability } from './machine/capability.js'
import { QueuedCapability } from './machine/queued-capability.js'
import type { Vat } from './machine/vat.js'
import { asError, RpcError } from './rpc-error.js'
import { internals, type RpcSession } from './session.js'
import { stubOf } from './stubs/proxy.js'
import type { RpcStub } from './stubs/types.js'

export interface ReconnectOptions {
  /** Times that a new connection is tried before the calls that wait for it reject. The next call begins anew. Default 10. */
  readonly attempts?: number
  /** Milliseconds before the second attempt; each further one waits twice as long. Default 50. */
  readonly delay?: number
  /** The longest that an attempt waits for. Default 5,000. */
  readonly maxDelay?: number
  /**
   * A connection is lost, and with it every stub but the dialed one, and what the server held of this side. Called once a
   * connection, whoever ended it.
   */
  readonly onLost?: (error: RpcError) => void
  /**
   * There is a new session, and the server's main has answered. Calls made here, before it returns, arrive ahead of those
   * that wait: to log in, to subscribe again. The stub is lent: `dup()` it to keep it.
   */
  readonly onReconnect?: (main: RpcStub<unknown>, session: RpcSession) => void
}

export type ReconnectSettings = Required<Pick<ReconnectOptions, 'attempts' | 'delay' | 'maxDelay'>> & ReconnectOptions

/** Throws UsageError. */
export function reconnectSettings(reconnect: boolean | ReconnectOptions): ReconnectSettings | undefined {
  if (reconnect === false) return undefined
  const { attempts = 10, delay = 50, maxDelay = 5000, ...callbacks } = reconnect === true ? {} : reconnect
  for (const [name, value] of Object.entries({ attempts, delay, maxDelay })) {
    if (typeof value !== 'number' || !(value >= 1)) {
      throw new UsageError(`reconnect.${name} is a number from 1 on, not ${String(value)}`)
    }
  }
  return { attempts, delay, maxDelay, ...callbacks }
}

/** Connects and begins a session. */
export type OpenSession = (signal: AbortSignal) => Promise<RpcSession>

interface Current {
  readonly session: RpcSession
  /** Owned. */
  readonly main: Capability
}

export class ReconnectingMain extends Capability {
  readonly #open: OpenSession
  readonly #settings: ReconnectSettings
  readonly #vat: Vat
  readonly #signal: AbortSignal | undefined
  /** Aborted when it is over for good. */
  readonly #over = new AbortController()
  readonly #onAbort = (): void => this.#end(asError(this.#signal?.reason))
  #current: Current | undefined
  /** Where calls wait while there is none. */
  #queue: QueuedCapability | undefined

  /**
   * Owns the session from now on.
   * @param signal ends it for good
   */
  constructor(session: RpcSession, open: OpenSession, settings: ReconnectSettings, signal: AbortSignal | undefined) {
    super()
    this.#open = open
    this.#settings = settings
    this.#vat = session[internals].vat
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    this.#adopt({ session, main: session[internals].main() })
    if (signal?.aborted === true) this.#onAbort()
  }

  call(request: CallRequest): Answer {
    return this.#way().call(request)
  }

  /** Whoever is passed the object gets that of the session; it breaks with it. */
  override get resolved(): Capability {
    return this.#current === undefined ? this : this.#current.main.resolved
  }

  override get broken(): RpcError | undefined {
    const { signal } = this.#over
    return signal.aborted ? (signal.reason as RpcError) : undefined
  }

  protected override dispose(): void {
    this.#end(new Error('the dialed stub was disposed of'))
  }

  /** What calls go to. */
  #way(): Capability {
    const current = this.#current
    // From within the end of a session, by somebody who is told of it before this is.
    if (current?.main.broken !== undefined) this.#lost(current, current.main.broken)
    if (this.#current !== undefined) return this.#current.main
    if (this.broken !== undefined) return new BrokenCapability(this.broken)
    if (this.#queue === undefined) {
      this.#queue = new QueuedCapability(this.#vat.options.waitingCalls)
      void this.#reconnect(this.#queue)
    }
    return this.#queue
  }

  #adopt(current: Current): void {
    this.#current = current
    current.session[internals].onEnd((error) => {
      this.#lost(current, error ?? new RpcError('disconnected', 'the peer has ended the session'))
    })
  }

  #lost(current: Current, error: RpcError): void {
    if (this.#current !== current) return
    this.#current = undefined
    current.main.release()
    const { onLost } = this.#settings
    if (onLost !== undefined) callOut(() => onLost(error))
  }

  #end(reason: Error): void {
    const current = this.#current
    this.#current = undefined
    this.#signal?.removeEventListener('abort', this.#onAbort)
    this.#over.abort(new RpcError('disconnected', reason.message, { cause: reason, origin: 'local' }))
    current?.main.release()
    void current?.session.close()
  }

  /** Never rejects: what it comes to is for the calls that wait. */
  async #reconnect(queue: QueuedCapability): Promise<void> {
    const { attempts, delay, maxDelay } = this.#settings
    const { signal } = this.#over
    let failure: Error | undefined
    for (let attempt = 1; attempt <= attempts; attempt++) {
      try {
        if (attempt > 1) await pause(Math.min(maxDelay, delay * 2 ** (attempt - 2)), signal)
        this.#begin(await this.#connect(), queue)
        return
      } catch (error) {
        failure = asError(error)
        if (signal.aborted || failure instanceof UsageError) break
      }
    }
    const message = `there is no new connection after ${attempts} attempts: ${failure?.message}`
    this.#queue = undefined
    queue.resolve(new BrokenCapability(this.broken ?? new RpcError('disconnected', message, { cause: failure })))
    queue.release()
  }

  /** A session whose main object has answered: a server that accepts and turns away counts as none. */
  async #connect(): Promise<Current> {
    const attempt = new AbortController()
    const over = this.#over.signal
    const giveUp = (): void => attempt.abort(over.reason)
    over.addEventListener('abort', giveUp, { once: true })
    try {
      over.throwIfAborted()
      const session = await this.#open(attempt.signal)
      const { main: bootstrap, onEnd } = session[internals]
      const main = bootstrap()
      await new Promise<void>((answered) => {
        onEnd(() => answered())
        main.resolution?.subscribe(answered)
      })
      const { broken } = main
      if (broken === undefined) return { session, main }
      main.release()
      void session.close()
      throw broken
    } finally {
      over.removeEventListener('abort', giveUp)
    }
  }

  #begin(current: Current, queue: QueuedCapability): void {
    this.#adopt(current)
    this.#queue = undefined
    this.#tell(current)
    queue.resolve(current.main.addRef())
    queue.release()
  }

  #tell({ session, main }: Current): void {
    const { onReconnect } = this.#settings
    if (onReconnect === undefined) return
    const stub = stubOf(main.addRef(), this.#vat) as unknown as RpcStub<unknown>
    callOut(() => onReconnect(stub, session))
    stub[Symbol.dispose]()
  }
}

/** What a callback throws is thrown for the process to see, as from any event listener. */
function callOut(callback: () => void): void {
  try {
    callback()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

/** Waits for half the time at least, and at random up to all of it, so that the clients of one server do not come at once. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      reject(asError(signal.reason))
    }
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', end)
        resolve()
      },
      milliseconds * (0.5 + Math.random() / 2),
    )
    signal.addEventListener('abort', end, { once: true })
  })
}
