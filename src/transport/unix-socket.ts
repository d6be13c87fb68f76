/**
 * UnixSocket: a connected Unix socket, as bytes or messages with descriptor sets, both ways.
 *
 * What users of the transport hold: the socket's life is here, its two directions are receiving.ts's and sending.ts's.
 * Knows no frames.
 */
import { ClosedError, UsageError } from '../errors.js'
import { MessageQueue } from './message-queue.js'
import { binding } from './native.js'
import type { OutgoingQueue } from './outgoing-queue.js'
import { Peer } from './peer.js'
import { Receiving } from './receiving.js'
import { SendQueue } from './send-queue.js'
import { Sending } from './sending.js'
import type { SocketHandlers, SocketStats } from './socket-handlers.js'
import { applyToSocket, type SocketSettings, socketSettings, type UnixSocketOptions } from './socket-options.js'
import { handOver } from './turn.js'
import { WatchedSocket } from './watched-socket.js'

const defaultLongest = 256 * 1024

export class UnixSocket {
  readonly #socket: WatchedSocket
  readonly #sending: Sending
  readonly #receiving: Receiving
  #peer: Peer | undefined

  /**
   * Takes over `fd`, a connected socket in the ledger (`connectUnix`, `adoptConnected`, `pairUnix`, an accepted one),
   * and closes it when it throws (UsageError for an option). Nothing is received before `resume`.
   * @param longest where boundaries are kept: the longest message that is received whole
   */
  constructor(fd: number, handlers: SocketHandlers, options: UnixSocketOptions = {}, longest = defaultLongest) {
    let settings: SocketSettings
    try {
      settings = socketSettings(options)
      applyToSocket(fd, settings)
    } catch (error) {
      binding.closeFd(fd)
      throw error
    }
    this.#socket = new WatchedSocket(fd, settings, {
      onReadable: () => handOver(this.#receiving.take),
      onWritable: () => this.#sending.writable(),
    })
    try {
      this.#sending = new Sending(this.#socket, handlers, settings)
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

  /** Who is at the other end, from the kernel. */
  get peer(): Peer {
    this.#peer ??= new Peer(this)
    return this.#peer
  }

  /** What waits to be sent: push pieces into it, then `requestFlush` (or `flush`). */
  get queue(): SendQueue {
    const { queue } = this.#sending
    if (queue instanceof SendQueue) return queue
    throw new UsageError('the socket keeps boundaries: what it sends is queued as `messages`')
  }

  /** The same, where the kernel keeps boundaries. */
  get messages(): MessageQueue {
    const { queue } = this.#sending
    if (queue instanceof MessageQueue) return queue
    throw new UsageError('the socket keeps no boundaries: what it sends is queued in `queue`')
  }

  /** Either of the two. */
  get outgoing(): OutgoingQueue {
    return this.#sending.queue
  }

  /** Whether a flush now would only wait: the kernel's buffer is full, or pressure has to pass. */
  get sendBlocked(): boolean {
    return this.#sending.blocked
  }

  /** Starts or goes on receiving. Throws SystemError when the socket cannot be watched (ENOMEM, EMFILE, ENOSPC). */
  resume(): void {
    this.#receiving.resume()
  }

  /** Stops receiving after the call that is being made: the kernel's buffer then fills, and the peer's writes wait. */
  pause(): void {
    this.#receiving.pause()
  }

  /** The stream's next bytes go into `memory`, which stays as it is while lent; `undefined` ends it. Not of messages. */
  lend(memory: Uint8Array | undefined): void {
    this.#receiving.lend(memory)
  }

  /** Sends what is queued: at once when the connection is idle, else with the other writes of this tick. */
  requestFlush(): void {
    this.#sending.requestFlush()
  }

  /** Sends what is queued until it is gone or has to wait. */
  flush(): void {
    this.#sending.flush()
  }

  /** Ends this direction; the peer sees the end of the stream behind what was sent. Nothing may wait in the queue. */
  shutDown(): void {
    this.#sending.shutDown()
  }

  ref(): void {
    if (!this.closed) this.#socket.native.setRef(true)
  }

  unref(): void {
    if (!this.closed) this.#socket.native.setRef(false)
  }

  get stats(): SocketStats {
    const received = this.#receiving.stats
    const sent = this.#sending.stats
    return {
      bytesReceived: received.bytes,
      bytesSent: sent.bytes,
      setsReceived: received.sets,
      receiveCalls: received.calls,
      sendCalls: sent.calls,
      pressures: received.pressures + sent.pressures,
    }
  }

  /** Closes the socket and what waits in its queue, now. Nothing is called any more. */
  close(): void {
    if (this.closed) return
    this.#socket.close()
    this.#receiving.close()
    this.#sending.close()
  }
}
