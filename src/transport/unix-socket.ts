/**
 * UnixSocket: a connected Unix socket, as bytes or messages with descriptor sets, both ways.
 *
 * What users of the transport hold: the socket's life is here, its two directions are receiving.ts's and sending.ts's.
 * Knows no frames.
 */
import { checkHandlers } from '../arguments.js'
import { ClosedError, UsageError } from '../errors.js'
import { checkNumber } from './descriptor.js'
import { MessageQueue } from './message-queue.js'
import { binding } from './native.js'
import type { OutgoingQueue } from './outgoing-queue.js'
import { Peer } from './peer.js'
import { Receiving } from './receiving.js'
import { SendQueue } from './send-queue.js'
import { Sending } from './sending.js'
import type { SocketHandlers, SocketStats } from './socket-handlers.js'
import { applyToSocket, prepareReadiness, SocketSettings, type UnixSocketOptions } from './socket-options.js'
import { WatchedSocket } from './watched-socket.js'

const neededHandlers = ['onReceived', 'onEnd', 'onReceiveError', 'onSendError', 'onRefused'] as const
const optionalHandlers = ['onDeliver', 'onSent', 'onPressure'] as const
const defaultLongest = 256 * 1024
const nothingSent: Sending['stats'] = { bytes: 0, calls: 0, pauses: 0, pressures: 0 }

/** What whoever opened a socket knows of it. */
export interface SocketOrigin {
  /** Where it was connected, accepted or adopted: errors name it. */
  readonly address?: string | undefined
  /** Where boundaries are kept: the longest message that is received whole. Default 256 KiB. */
  readonly longest?: number
  /** @internal The options, where they have been checked before. */
  readonly settings?: SocketSettings
}

export class UnixSocket {
  readonly #socket: WatchedSocket
  readonly #handlers: SocketHandlers
  readonly #settings: SocketSettings
  readonly #receiving: Receiving
  /** Made when there is something to send: a connection that is only there does without. */
  #sending: Sending | undefined
  /** Or why it is not known, once the socket is closed. */
  #peer: Peer | Error | undefined

  /**
   * Takes over `fd`, a connected socket in the ledger (`connectUnix`, `adoptConnected`, `pairUnix`, an accepted one),
   * and closes it when it throws (UsageError for an option). Nothing is received before `resume`.
   */
  constructor(fd: number, handlers: SocketHandlers, options: UnixSocketOptions = {}, origin: SocketOrigin = {}) {
    const { address, longest = defaultLongest } = origin
    checkNumber(fd)
    let settings: SocketSettings
    try {
      checkHandlers(handlers, neededHandlers, optionalHandlers)
      settings = origin.settings ?? new SocketSettings(options)
      applyToSocket(fd, settings, address)
      prepareReadiness(settings, address)
    } catch (error) {
      binding.closeFd(fd)
      throw error
    }
    this.#handlers = handlers
    this.#settings = settings
    this.#socket = new WatchedSocket(fd, settings, address)
    try {
      this.#receiving = new Receiving(this.#socket, handlers, settings, longest)
    } catch (error) {
      this.#socket.close() // no memory for a slab
      throw error
    }
  }

  /** The descriptor's number, still this socket's own. Throws ClosedError once closed. */
  get fd(): number {
    if (this.closed) throw new ClosedError('the socket is closed')
    return this.#socket.fd
  }

  get closed(): boolean {
    return this.#socket.closed
  }

  /** Where it was connected, accepted or adopted; undefined for one of a pair. */
  get address(): string | undefined {
    return this.#socket.address
  }

  /** Who is at the other end, from the kernel; known after the end, too. Throws where the kernel knows nobody. */
  get peer(): Peer {
    if (this.#peer instanceof Error) throw this.#peer
    this.#peer ??= new Peer(this)
    return this.#peer
  }

  /** What waits to be sent: push pieces into it, then `requestFlush` (or `flush`). */
  get queue(): SendQueue {
    const queue = this.outgoing
    if (queue instanceof SendQueue) return queue
    throw new UsageError('the socket keeps boundaries: what it sends is queued as `messages`')
  }

  /** The same, where the kernel keeps boundaries. */
  get messages(): MessageQueue {
    const queue = this.outgoing
    if (queue instanceof MessageQueue) return queue
    throw new UsageError('the socket keeps no boundaries: what it sends is queued in `queue`')
  }

  /** Either of the two. */
  get outgoing(): OutgoingQueue {
    return this.#ownSending.queue
  }

  /** Whether a flush now would only wait: the kernel's buffer is full, or pressure has to pass. */
  get sendBlocked(): boolean {
    return this.#sending?.blocked === true
  }

  /** How many bytes more may be queued before `requestFlush` would do anything about them. */
  get leeway(): number {
    return this.#sending?.leeway ?? 0
  }

  /** Starts or goes on receiving. Throws SystemError when the socket cannot be watched (ENOMEM, EMFILE, ENOSPC). */
  resume(): void {
    this.#receiving.resume()
  }

  /** Stops receiving after the call that is being made: the kernel's buffer then fills, and the peer's writes wait. */
  pause(): void {
    this.#receiving.pause()
  }

  /**
   * The stream's next bytes go into `memory`, which stays as it is while lent; `undefined` ends it. Not of messages.
   * @param ahead the most to receive by one call behind what is lent, before it is said where the rest goes; 0: any
   */
  lend(memory: Uint8Array | undefined, ahead = 0): void {
    this.#receiving.lend(memory, ahead)
  }

  /** From now on each recvmsg is told of by a set, if only an empty one. Where boundaries are kept, each is. */
  tellReceives(): void {
    this.#receiving.tellReceives()
  }

  /**
   * Sends what is queued: at once when the connection is idle, else with the other writes of this tick.
   * @param promptly the first of a wake-up goes at once, too, as if it were handed over by itself
   */
  requestFlush(promptly = false): void {
    this.#ownSending.requestFlush(promptly)
  }

  /** Sends what is queued until it is gone or has to wait. */
  flush(): void {
    this.#ownSending.flush()
  }

  /** Ends this direction; the peer sees the end of the stream behind what was sent. Nothing may wait in the queue. */
  shutDown(): void {
    this.#ownSending.shutDown()
  }

  /** Keeps the process alive while it waits for the peer, or for pressure to pass (the default). */
  ref(): void {
    this.#setRef(true)
  }

  unref(): void {
    this.#setRef(false)
  }

  get stats(): SocketStats {
    const received = this.#receiving.stats
    const sent = this.#sending?.stats ?? nothingSent
    return {
      bytesReceived: received.bytes,
      bytesSent: sent.bytes,
      setsReceived: received.sets,
      receiveCalls: received.calls,
      sendCalls: sent.calls,
      sendPauses: sent.pauses,
      pressures: received.pressures + sent.pressures,
    }
  }

  /**
   * Bytes of the stream that a former owner of the socket has received; `consumed` of them are done with, the rest is
   * presented in front of what comes next. To be called before anything is received.
   */
  preload(bytes: Uint8Array, consumed: number): void {
    this.#receiving.preload(bytes, consumed)
  }

  /**
   * Lets go of the socket without closing it: its number, in the ledger and the caller's, and the bytes that were received
   * and not consumed. Nothing may wait in the queue, and no handler be running. Throws ClosedError once closed.
   */
  release(): { readonly fd: number; readonly carried: Uint8Array } {
    const { fd } = this
    this.#rememberPeer()
    const carried = this.#socket.letGo()
    this.#receiving.close()
    this.#sending?.close()
    return { fd, carried }
  }

  /** Closes the socket and what waits in its queue, now. Nothing is called any more. */
  close(): void {
    if (this.closed) return
    this.#rememberPeer()
    this.#socket.close()
    this.#receiving.close()
    this.#sending?.close()
  }

  get #ownSending(): Sending {
    this.#sending ??= new Sending(this.#socket, this.#handlers, this.#settings)
    return this.#sending
  }

  #setRef(ref: boolean): void {
    if (this.closed) return
    this.#socket.setRef(ref)
    this.#socket.keepsAlive = ref
    this.#receiving.setRef(ref)
    this.#sending?.setRef(ref)
  }

  /** Who it was is asked about after the end, by whoever logs it; the kernel can be asked no more then. */
  #rememberPeer(): void {
    if (this.#peer !== undefined) return
    try {
      this.#peer = new Peer(this)
    } catch (error) {
      this.#peer = error as Error
    }
  }
}
