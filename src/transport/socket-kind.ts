/**
 * What a socket is that came from elsewhere, before anything is done with it. Changes nothing.
 */
import { UsageError } from '../errors.js'
import { Descriptor } from './descriptor.js'
import { binding } from './native.js'
import { AF_UNIX } from './system-calls.js'
import { systemFailure } from './system-failure.js'

export interface SocketKind {
  /** 'other': neither Unix nor IP. */
  readonly family: 'unix' | 'ipv4' | 'ipv6' | 'other'
  /** Bytes without boundaries: SOCK_STREAM. */
  readonly stream: boolean
  readonly listening: boolean
  readonly connected: boolean
}

/** Throws UsageError for what is no Descriptor, SystemError ENOTSOCK for one of no socket, ClosedError. */
export function socketKind(descriptor: Descriptor): SocketKind {
  if (!(descriptor instanceof Descriptor)) throw new UsageError('a socket is given as a Descriptor')
  const { fd } = descriptor
  const state = binding.socketState(fd)
  if (typeof state === 'number') throw systemFailure(state, 'getsockopt', `fd ${fd}`)
  const { domain, type, listening, connected } = state
  return { family: families.get(domain) ?? 'other', stream: type === SOCK_STREAM, listening, connected }
}

const SOCK_STREAM = 1
const families: ReadonlyMap<number, SocketKind['family']> = new Map([
  [AF_UNIX, 'unix'],
  [2, 'ipv4'],
  [10, 'ipv6'],
])
