/**
 * Connected sockets, as bare numbers in the ledger: by address, in pairs, or taken over.
 *
 * Knows nothing of the bytes that will pass; whoever gets a number here owes the ledger its end.
 */
import { checkOptions, checkSignal } from '../arguments.js'
import { TimeoutError, UsageError } from '../errors.js'
import { type Address, parseAddress } from './address.js'
import { adoptSocket } from './adopt-socket.js'
import { Deadline } from './deadline.js'
import type { Descriptor } from './descriptor.js'
import { binding } from './native.js'
import { type SocketType, socketTypeNumber } from './socket-type.js'
import { Errno } from './system-calls.js'
import { systemFailure } from './system-failure.js'
import { wait } from './wait.js'

export interface ConnectOptions {
  /** Ends the waiting; the promise is rejected with its reason. */
  readonly signal?: AbortSignal
  /** How long to wait for a place in the listener's backlog, in ms. Default: 30,000. Infinity is allowed. */
  readonly timeout?: number
  /** Of the socket; what is connected to has the same. Default 'stream'. */
  readonly type?: SocketType
}

/** A connected socket in the ledger, and the address that its errors name; undefined where it has none. */
export interface OpenedSocket {
  readonly fd: number
  readonly address: string | undefined
}

const firstRetry = 1
const lastRetry = 100

/**
 * Connects; `{ fd }` takes over a connected socket instead. SystemError (ECONNREFUSED: nobody listens; ENOENT: nothing
 * is there), PermissionError, or TimeoutError when the backlog stays full: that is the one thing a Unix socket waits
 * for, and no event tells when it is over.
 */
export async function connectUnix(address: Address, options: ConnectOptions = {}): Promise<number> {
  return (await openUnix(address, options)).fd
}

/** The same, with what is known of the socket besides. Not public. */
export async function openUnix(address: Address, options: ConnectOptions): Promise<OpenedSocket> {
  checkOptions(options)
  const { signal, timeout = 30_000, type = 'stream' } = options
  checkSignal(signal)
  const number = socketTypeNumber(type)
  if (typeof timeout !== 'number' || !(timeout >= 0)) throw new UsageError('timeout is a number of ms from 0 on')
  signal?.throwIfAborted()
  const parsed = parseAddress(address)
  if (parsed.kind === 'fd') return adoptSocket(parsed.fd, 'connected', type)

  const deadline = new Deadline(timeout)
  for (let delay = firstRetry; ; delay = Math.min(delay * 2, lastRetry)) {
    const fd = binding.connectSocket(parsed.bytes, number)
    if (fd >= 0) return { fd, address: parsed.text }
    if (fd !== Errno.EAGAIN) throw systemFailure(fd, 'connect', parsed.text, adviceFor(fd, type))
    const { left } = deadline
    if (left <= 0) {
      throw new TimeoutError(`connect ${parsed.text}: the listener's backlog stayed full for ${timeout} ms`)
    }
    await wait(Math.min(delay, left), signal)
  }
}

/** Takes over a connected Unix socket. When this throws, it is still the caller's. */
export function adoptConnected(socket: number | Descriptor, type?: SocketType): number {
  return adoptSocket(socket, 'connected', type).fd
}

/** Two sockets connected to each other. */
export function pairUnix(type: SocketType = 'stream'): readonly [number, number] {
  const pair = binding.socketPair(socketTypeNumber(type))
  if (typeof pair === 'number') throw systemFailure(pair, 'socketpair')
  return pair
}

function adviceFor(errno: number, type: SocketType): string | undefined {
  if (errno === Errno.ECONNREFUSED) return 'nobody listens there'
  if (errno === Errno.EPROTOTYPE) return `the socket there is no ${type} socket`
  return undefined
}
