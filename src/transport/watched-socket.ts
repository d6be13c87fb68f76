/**
 * WatchedSocket: what the two directions of a socket share: the descriptor, and the events that it is watched for. Knows
 * neither bytes nor descriptors that pass.
 *
 * It is the native socket itself, which holds it while it is watched: so a socket is one object, and has no callbacks of
 * its own that would have to be kept.
 */
import { type PillionError, UsageError } from '../errors.js'
import { binding, Events } from './native.js'
import type { SocketSettings } from './socket-options.js'
import { systemFailure } from './system-failure.js'

/** The two directions, as far as they are told of readiness. */
export interface Reader {
  readable(): void
}

export interface Writer {
  writable(): void
}

export class WatchedSocket extends binding.Socket {
  /** What errors name. */
  readonly address: string | undefined
  /** Whether it keeps the process alive, and what its directions wait for as well. */
  keepsAlive = true
  /** Whom it tells, once there is something to watch for. */
  reader: Reader | undefined
  writer: Writer | undefined
  #number: number
  #events: number = Events.none

  /** Owns `fd`, which is in the ledger. */
  constructor(fd: number, settings: SocketSettings, address: string | undefined) {
    super(fd, settings.edge, settings.keepsMessages)
    this.#number = fd
    this.address = address
  }

  onReadable(): void {
    this.reader?.readable()
  }

  onWritable(): void {
    this.writer?.writable()
  }

  /** Negative once closed. */
  get fd(): number {
    return this.#number
  }

  get closed(): boolean {
    return this.#number < 0
  }

  /** Throws SystemError when it cannot be watched (ENOMEM, EMFILE, ENOSPC); then nothing has changed. */
  watchFor(event: number, on: boolean): void {
    if (this.closed) return
    const events = on ? this.#events | event : this.#events & ~event
    if (events === this.#events) return
    const error = this.watch(events)
    if (error < 0) throw this.failure(error, 'epoll_ctl')
    this.#events = events
  }

  /** The error of a system call on this socket. */
  failure(errno: number, syscall: string, advice?: string): PillionError {
    return systemFailure(errno, syscall, this.address, advice)
  }

  /** `sendmsg /run/x.sock`: a system call as messages name it. */
  named(syscall: string): string {
    return this.address === undefined ? syscall : `${syscall} ${this.address}`
  }

  /**
   * Lets go of the descriptor: open, in the ledger, and the caller's, with the bytes that were not consumed. Throws UsageError
   * when these are gone; then nothing has changed.
   */
  letGo(): Uint8Array {
    const carried = this.release()
    if (carried === undefined) {
      throw new UsageError('received bytes that nobody had consumed are gone: their memory was transferred')
    }
    this.#number = -1
    return carried
  }

  override close(): void {
    this.#number = -1
    super.close()
  }
}

// One function each for all of a thread's sockets, which native code calls on the one that is ready.
binding.setCallbacks(
  function (this: WatchedSocket) {
    this.onReadable()
  },
  function (this: WatchedSocket) {
    this.onWritable()
  },
)
