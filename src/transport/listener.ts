/**
 * Listener: a listening Unix socket, and whom it lets in.
 *
 * Gives out accepted sockets as numbers in the ledger; what is spoken on them it does not know. The file of its address
 * is socket-file.ts's.
 */

import { getSystemErrorName } from 'node:util'
import { checkFunction, checkHandlers, checkOptions, checkSignal, shown } from '../arguments.js'
import { ClosedError, type PillionError, UsageError } from '../errors.js'
import { clearTimeout, setTimeout } from '../event-loop.js'
import { type Address, addressOfName, formatAddress, type ParsedAddress, parseAddress } from './address.js'
import { type Authorize, Candidate, isSameUserOrRoot, warnOfAuthorize } from './admission.js'
import { adoptSocket } from './adopt-socket.js'
import { adoptOwned, type Descriptor, surrender } from './descriptor.js'
import { binding, type NativeWatcher } from './native.js'
import type { Peer } from './peer.js'
import { SocketFile } from './socket-file.js'
import { type SocketType, socketTypeNumber } from './socket-type.js'
import { Errno, SOCK_DGRAM } from './system-calls.js'
import { succeeded, systemFailure } from './system-failure.js'

export interface ListenerOptions {
  /** 'stream' (default) or 'seqpacket'; so are the connections. */
  readonly type?: SocketType
  /**
   * The file's permission bits, exactly these whatever the umask; who may write it may connect. Default: 0o600. At no
   * moment does the file have more.
   */
  readonly mode?: number
  /** Connections that wait to be accepted; the kernel caps it at net.core.somaxconn. Default: 511. */
  readonly backlog?: number
  /** Ends the wait of `listen` for others who are about to bind in the same directory. */
  readonly signal?: AbortSignal
  /**
   * Whether this peer may connect; one refused is closed at once. Throwing refuses as well.
   *
   * Without it, whoever may write the socket's file is let in; on an abstract name, which has no permissions, only
   * processes of this process's effective user and root are (CVE-2020-15257).
   */
  readonly authorize?: Authorize
}

/** The table of descriptors, or the kernel's memory, is full: the connections wait in the backlog. */
export interface AcceptPressure {
  readonly code: string
  /** When it is tried again, in ms. */
  readonly retryIn: number
}

export interface AcceptHandlers {
  /** The socket is in the ledger, non-blocking, closed on exec, and the handler's from the call on, throw or not. */
  onConnection(fd: number): void
  /** Accepting ended for a reason other than `close`; the listener is closed already. */
  onError(error: PillionError): void
  onPressure?(pressure: AcceptPressure): void
  /** `error` is what `authorize` threw, if it did. The peer can be asked until the call returns. */
  onRefused?(peer: Peer, error: unknown): void
}

/** A wake-up accepts no more than this, so that a flood of connections starves nobody. */
const acceptsPerWakeUp = 64
const firstRetry = 10
const lastRetry = 1_000

/** Over in a while, by no event that could be waited for. */
const shortages = new Set<number>([Errno.EMFILE, Errno.ENFILE, Errno.ENOBUFS, Errno.ENOMEM])
/** About one connection, which is gone: given up by its client, or forbidden by a security module. */
const lostConnections = new Set<number>([Errno.ECONNABORTED, Errno.EINTR, Errno.EPERM, Errno.EACCES])

export class Listener implements Disposable {
  /** To connect to: as it was given to `listen`, or, with `{ fd }`, where the socket is bound. */
  readonly address: Address
  readonly #text: string
  readonly #socket: Descriptor
  readonly #file: SocketFile | undefined
  readonly #authorize: Authorize | undefined
  readonly #watcher: NativeWatcher
  /** Kept here because the watcher does not while it is off. */
  readonly #onReady = () => this.#acceptSome()
  #handlers: AcceptHandlers | undefined
  #paused = false
  #ref = true
  #refused = 0
  #retryIn = firstRetry
  #retry: NodeJS.Timeout | undefined

  private constructor(address: Address, socket: ListeningSocket, authorize: ListenerOptions['authorize']) {
    this.address = socket.address ?? address
    this.#text = formatAddress(this.address)
    this.#socket = adoptOwned(socket.fd)
    this.#file = socket.file
    this.#authorize = authorize ?? (socket.abstract ? isSameUserOrRoot : undefined)
    this.#watcher = new binding.Watcher(socket.fd, this.#onReady)
  }

  /**
   * Binds and listens; nothing is accepted before `accept`.
   *
   * A stale socket file at the path, one that no socket is bound to, is replaced. SystemError EADDRINUSE when somebody
   * lives there, or when what is there is no socket. `{ fd }` takes over an inherited listening socket, whose file is
   * never removed; O_NONBLOCK is set on it for all who share it. When this rejects, `fd` is still the caller's.
   */
  static async listen(address: Address, options: ListenerOptions = {}): Promise<Listener> {
    checkOptions(options)
    const { type = 'stream', mode = 0o600, backlog = 511, signal, authorize } = options
    if (socketTypeNumber(type) === SOCK_DGRAM) {
      throw new UsageError(
        "a datagram socket does not listen: listen with type 'seqpacket', or use pair, connect or adopt",
      )
    }
    checkInteger('mode', mode, 0o777)
    checkInteger('backlog', backlog, 0x7fff_ffff)
    if (authorize !== undefined) checkFunction('authorize', authorize)
    checkSignal(signal)
    signal?.throwIfAborted()
    const socket = await open(parseAddress(address), { type, mode, backlog, signal })
    return new Listener(address, socket, authorize)
  }

  /** Begins to accept. Once only. */
  accept(handlers: AcceptHandlers): void {
    this.#checkOpen()
    checkHandlers(handlers, ['onConnection', 'onError'], ['onPressure', 'onRefused'])
    if (this.#handlers !== undefined) throw new UsageError(`the listener at ${this.#text} accepts already`)
    this.#handlers = handlers
    this.#watch()
  }

  /** Leaves further connections in the backlog until `resume`, from within `onConnection` at once. */
  pause(): void {
    this.#checkOpen()
    this.#paused = true
    this.#watch()
  }

  resume(): void {
    this.#checkOpen()
    this.#paused = false
    this.#watch()
  }

  get paused(): boolean {
    return this.#paused
  }

  get closed(): boolean {
    return this.#socket.closed
  }

  /** How many connections were refused so far. */
  get refused(): number {
    return this.#refused
  }

  /** While it accepts, a listener keeps the event loop alive, unless it is unref'd. */
  ref(): this {
    return this.#setRef(true)
  }

  unref(): this {
    return this.#setRef(false)
  }

  /**
   * Ends it, at once and for good; again does nothing. Its file is removed if it is still ours. Connections that wait
   * in the backlog are reset, unless another process shares the socket.
   */
  close(): void {
    if (this.closed) return
    clearTimeout(this.#retry)
    // Removed while the socket lives: until then nobody takes the file for a stale one, nor can its inode be reused.
    this.#file?.remove()
    this.#watcher.close()
    this.#socket.close()
  }

  /**
   * Ends the accepting and gives the listening socket away, to whoever listens on with `{ fd }`; its file stays, and those who
   * connect meanwhile wait in the backlog. The caller's from now on.
   */
  detach(): Descriptor {
    this.#checkOpen()
    clearTimeout(this.#retry)
    this.#watcher.close()
    return adoptOwned(surrender(this.#socket))
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #acceptSome(): void {
    for (let done = 0; done < acceptsPerWakeUp && this.#accepts(); done++) {
      const fd = binding.acceptSocket(this.#socket.fd)
      if (fd === Errno.EAGAIN) {
        // Woken for nothing: another process that shares the socket was faster, or shut it down. Then it would be
        // readable for ever, with nothing to accept.
        if (done === 0 && binding.isShutDown(this.#socket.fd)) this.#fail(Errno.EINVAL)
        return
      }
      if (shortages.has(fd)) return this.#backOff(fd)
      if (fd >= 0) this.#admit(fd)
      else if (!lostConnections.has(fd)) return this.#fail(fd)
    }
  }

  #admit(fd: number): void {
    this.#retryIn = firstRetry
    const candidate = new Candidate(fd, this.#text)
    let admitted = false
    try {
      admitted = this.#authorize === undefined || this.#isAuthorized(candidate, this.#authorize)
    } finally {
      candidate.settled = true
      if (!admitted) binding.closeFd(fd)
    }
    if (admitted) this.#handlers?.onConnection(fd)
  }

  #isAuthorized(candidate: Candidate, authorize: Authorize): boolean {
    const { admitted, peer, failure } = candidate.judge(authorize)
    if (admitted && !this.closed) return true
    this.#refused++
    if (failure !== undefined && this.#handlers?.onRefused === undefined) warnOfAuthorize(failure, this.#text)
    if (peer !== undefined) this.#handlers?.onRefused?.(peer, failure)
    return false
  }

  #backOff(errno: number): void {
    const retryIn = this.#retryIn
    this.#retryIn = Math.min(retryIn * 2, lastRetry)
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#watch()
    }, retryIn)
    if (!this.#ref) this.#retry.unref()
    this.#watch()
    this.#handlers?.onPressure?.({ code: getSystemErrorName(errno), retryIn })
  }

  #fail(errno: number): void {
    this.close()
    this.#handlers?.onError(systemFailure(errno, 'accept', this.#text))
  }

  #accepts(): boolean {
    return !this.closed && this.#handlers !== undefined && !this.#paused && this.#retry === undefined
  }

  #watch(): void {
    if (this.closed) return
    succeeded(this.#watcher.watch(this.#accepts()), 'epoll_ctl', this.#text)
  }

  #setRef(ref: boolean): this {
    this.#checkOpen()
    this.#ref = ref
    this.#watcher.setRef(ref)
    if (ref) this.#retry?.ref()
    else this.#retry?.unref()
    return this
  }

  #checkOpen(): void {
    if (this.closed) throw new ClosedError(`the listener at ${this.#text} is closed`)
  }
}

interface ListeningSocket {
  readonly fd: number
  readonly file: SocketFile | undefined
  readonly abstract: boolean
  /** Where a socket that was handed in is bound. */
  readonly address?: string | undefined
}

async function open(address: ParsedAddress, options: OpenOptions): Promise<ListeningSocket> {
  const { type, mode, backlog, signal } = options
  const number = socketTypeNumber(type)
  if (address.kind === 'path') {
    return { ...(await SocketFile.listen(address, { type: number, mode, backlog, signal })), abstract: false }
  }
  if (address.kind === 'fd') {
    const { fd, state } = adoptSocket(address.fd, 'listening', type)
    return { fd, file: undefined, abstract: state.name[0] === 0, address: addressOfName(state.name) }
  }
  const fd = succeeded(binding.bindSocket(address.bytes, undefined, number), 'bind', address.text)
  const listening = binding.listenSocket(fd, backlog)
  if (listening < 0) binding.closeFd(fd)
  succeeded(listening, 'listen', address.text)
  return { fd, file: undefined, abstract: true }
}

interface OpenOptions {
  readonly type: SocketType
  readonly mode: number
  readonly backlog: number
  readonly signal: AbortSignal | undefined
}

function checkInteger(name: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new UsageError(`${name} is an integer from 0 to ${most}, not ${shown(value)}`)
  }
}
