/**
 * SocketType: what a Unix socket does with boundaries, by name and by the kernel's number.
 */
import { shown } from '../arguments.js'
import { UsageError } from '../errors.js'
import { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from './system-calls.js'

/**
 * - `stream` (SOCK_STREAM): bytes, without boundaries.
 * - `seqpacket` (SOCK_SEQPACKET): messages, in order and reliable, over a connection that ends.
 * - `datagram` (SOCK_DGRAM): messages, in order and reliable between Unix sockets; but nobody listens, and no end is
 *   ever seen.
 */
export type SocketType = 'stream' | 'seqpacket' | 'datagram'

const numbers = { stream: SOCK_STREAM, seqpacket: SOCK_SEQPACKET, datagram: SOCK_DGRAM } as const

/** The kernel's number. Throws UsageError for what is no type. */
export function socketTypeNumber(type: SocketType): number {
  if (typeof type === 'string' && Object.hasOwn(numbers, type)) return numbers[type]
  throw new UsageError(`type is 'stream', 'seqpacket' or 'datagram', not ${shown(type)}`)
}

/** The name, of a number that has one. */
export function socketTypeOf(number: number): SocketType | undefined {
  return (Object.keys(numbers) as SocketType[]).find((type) => numbers[type] === number)
}
