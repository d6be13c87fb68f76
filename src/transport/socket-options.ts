/**
 * What can be chosen for a socket, checked, with the defaults filled in, and told to the kernel where it has a say.
 */
import { checkOptions, shown } from '../arguments.js'
import { UsageError } from '../errors.js'
import { binding } from './native.js'
import { type SocketType, socketTypeNumber } from './socket-type.js'
import { Errno, SOCK_STREAM } from './system-calls.js'
import { succeeded } from './system-failure.js'

export interface UnixSocketOptions {
  /**
   * What the socket is. Where the kernel keeps boundaries ('seqpacket', 'datagram') each message is received and sent
   * whole. Default 'stream'.
   */
  readonly type?: SocketType
  /** How the socket's readiness is learnt: the loop's own poll (default), or a shared edge-triggered epoll set. */
  readonly readiness?: 'level' | 'edge'
  /** Microseconds to spin for more after a wake-up. 0 (default): none. Costs a core while it spins. */
  readonly busyPoll?: number
  /** False: descriptors that the peer sends are never installed here. Default true. */
  readonly acceptDescriptors?: boolean
  /**
   * Free places in the descriptor table below which nothing is received, since a full table loses descriptors
   * (docs/kernel.md fact 9). Default 253, one full set, or a quarter of the table if that is less; 0: never asked.
   */
  readonly descriptorHeadroom?: number
  /** Milliseconds to wait out pressure; then receiving goes on at the risk of loss, and a send is given up. Default 5000. */
  readonly pressureTimeout?: number
  /**
   * Bytes that may wait in the kernel to be received by the peer (SO_SNDBUF; the kernel doubles it, and caps it at
   * net.core.wmem_max). Default: the system's, 208 KiB.
   */
  readonly sendBuffer?: number
}

const fullSet = 253
const defaultPressureTimeout = 5000

/** Options that have been checked: one object serves any number of sockets. */
export class SocketSettings {
  /** The kernel keeps boundaries. */
  readonly keepsMessages: boolean
  readonly edge: boolean
  readonly busyPoll: number
  readonly acceptDescriptors: boolean
  readonly headroom: number
  readonly pressureTimeout: number
  readonly sendBuffer: number | undefined

  /** Throws UsageError for what can never work. */
  constructor(options: UnixSocketOptions) {
    checkOptions(options)
    const { readiness = 'level', acceptDescriptors = true, sendBuffer } = options
    if (readiness !== 'level' && readiness !== 'edge') {
      throw new UsageError(`readiness is 'level' or 'edge', not ${shown(readiness)}`)
    }
    if (typeof acceptDescriptors !== 'boolean') {
      throw new UsageError(`acceptDescriptors is true or false, not ${shown(acceptDescriptors)}`)
    }
    const type = socketTypeNumber(options.type ?? 'stream')
    this.keepsMessages = type !== SOCK_STREAM
    this.edge = readiness === 'edge'
    this.busyPoll = checkNumber('busyPoll', options.busyPoll ?? 0)
    this.acceptDescriptors = acceptDescriptors
    // Where none is accepted, none needs room.
    this.headroom = acceptDescriptors ? checkNumber('descriptorHeadroom', options.descriptorHeadroom ?? fullSet) : 0
    this.pressureTimeout = checkNumber('pressureTimeout', options.pressureTimeout ?? defaultPressureTimeout)
    this.sendBuffer = sendBuffer === undefined ? undefined : checkNumber('sendBuffer', sendBuffer)
  }
}

/**
 * Throws SystemError when the kernel refuses.
 * @param address of the socket, for errors
 */
export function applyToSocket(fd: number, settings: SocketSettings, address: string | undefined): void {
  if (settings.sendBuffer !== undefined) {
    succeeded(binding.setSendBuffer(fd, settings.sendBuffer), 'setsockopt', address, 'SO_SNDBUF')
  }
  if (settings.keepsMessages) succeeded(binding.stampMessages(fd), 'setsockopt', address, 'SO_TIMESTAMP')
  if (!settings.acceptDescriptors) {
    // Linux 6.16 and later: the peer is told at its send, by EPERM. Before, what it sends is closed unseen by the kernel.
    const refused = binding.refuseRights(fd)
    if (refused !== Errno.ENOPROTOOPT) succeeded(refused, 'setsockopt', address, 'SO_PASSRIGHTS')
  }
}

/**
 * Opens what sockets of this readiness share, which takes a place in the descriptor table once: before a socket is taken
 * over, so that a full table is the opening call's to report. Throws SystemError.
 */
export function prepareReadiness(settings: Pick<SocketSettings, 'edge'>, address?: string): void {
  if (settings.edge) succeeded(binding.openEdgeSet(), 'epoll_create1', address)
}

function checkNumber(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 0x7fffffff) return value
  throw new UsageError(`${name} is a whole number from 0 to 2147483647, not ${shown(value)}`)
}
