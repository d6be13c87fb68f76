/**
 * WatchedSocket: what the two directions of a socket share: the descriptor, and the events that it is watched for. Knows
 * neither bytes nor descriptors that pass.
 */
import { type PillionError, UsageError } from '../errors.js'
import { binding, Events, type NativeSocket } from './native.js'
import type { SocketSettings } from './socket-options.js'
import { systemFailure } from './system-failure.js'

export interface ReadinessCallbacks {
  readonly onReadable: () => void
  readonly onWritable: () => void
}

export class WatchedSocket {
  readonly native: NativeSocket
  /** What errors name. */
  readonly address: string | undefined
  /** The native side holds these weakly, so that a socket nobody can reach is collected: they are kept here. */
  readonly #callbacks: ReadinessCallbacks
  #fd: number
  #events: number = Events.none

  /** Owns `fd`, which is in the ledger. */
  constructor(fd: number, settings: SocketSettings, callbacks: ReadinessCallbacks, address: string | undefined) {
    this.#fd = fd
    this.address = address
    this.#callbacks = callbacks
    const { onReadable, onWritable } = this.#callbacks
    this.native = new binding.Socket(fd, settings.edge, onReadable, onWritable, settings.keepsMessages)
  }

  /** Negative once closed. */
  get fd(): number {
    return this.#fd
  }

  get closed(): boolean {
    return this.#fd < 0
  }

  /** Throws SystemError when it cannot be watched (ENOMEM, EMFILE, ENOSPC); then nothing has changed. */
  watch(event: number, on: boolean): void {
    if (this.closed) return
    const events = on ? this.#events | event : this.#events & ~event
    if (events === this.#events) return
    const error = this.native.watch(events)
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
  release(): Uint8Array {
    const carried = this.native.release()
    if (carried === undefined) {
      throw new UsageError('received bytes that nobody had consumed are gone: their memory was transferred')
    }
    this.#fd = -1
    return carried
  }

  close(): void {
    this.#fd = -1
    this.native.close()
  }
}
