/**
 * Taking over a socket that somebody else made: an inherited descriptor, or one that was received.
 *
 * A wrong one is a clear error before anything is changed, and stays the caller's. Knows nothing of streams or servers.
 */
import { UsageError } from '../errors.js'
import { addressOfName, formatAddress } from './address.js'
import { checkNumber, Descriptor, recallDescriptor, surrender } from './descriptor.js'
import { binding } from './native.js'
import { type SocketType, socketTypeNumber, socketTypeOf } from './socket-type.js'
import { AF_UNIX, Errno, type SocketState } from './system-calls.js'
import { succeeded, systemFailure } from './system-failure.js'

/** A socket in the ledger, non-blocking and closed on exec, and what it was found to be. */
export interface AdoptedSocket {
  readonly fd: number
  readonly state: SocketState
  /** Where it is listening or connected, as errors name it; undefined where neither end has a name. */
  readonly address: string | undefined
}

/**
 * Checks that it is a Unix socket of this type that is connected, or listening, and takes it over: a Descriptor is closed
 * to its holder from then on, a number must not be closed by anybody else. When this throws, it is still the caller's.
 *
 * O_NONBLOCK is set on the open file, so whoever shares the socket gets it too (docs/kernel.md fact 14).
 */
export function adoptSocket(
  socket: number | Descriptor,
  wanted: 'connected' | 'listening',
  type: SocketType = 'stream',
): AdoptedSocket {
  const number = socketTypeNumber(type)
  const fd = socket instanceof Descriptor ? socket.fd : socket
  checkNumber(fd)
  const state = binding.socketState(fd)
  if (typeof state === 'number') throw systemFailure(state, 'getsockopt', `fd ${fd}`, describe(fd))
  const flaw = flawOf(state, wanted, number)
  if (flaw !== undefined) throw new UsageError(`fd ${fd} ${flaw}; a ${wanted} Unix ${type} socket is needed`)

  if (socket instanceof Descriptor) {
    checkUnwatched(fd)
    recallDescriptor(socket)
    prepare(fd)
    return { fd: surrender(socket), state, address: whereIs(state) }
  }
  const owned = binding.own(fd)
  if (owned === Errno.EEXIST) throw new UsageError(`fd ${fd} is owned by a Descriptor or a stream of this thread`)
  succeeded(owned, 'fcntl', `fd ${fd}`)
  try {
    checkUnwatched(fd)
    prepare(fd)
  } catch (error) {
    binding.disown(fd)
    throw error
  }
  return { fd, state, address: whereIs(state) }
}

/** A client's socket has no name of its own; an accepted one has its listener's. */
function whereIs({ name, peerName }: SocketState): string | undefined {
  const address = addressOfName(peerName.length > 0 ? peerName : name)
  return address === undefined ? undefined : formatAddress(address)
}

/**
 * A socket that a net.Socket waits for would have two owners, and libuv ends the process when one closes what the other
 * has in its poll.
 */
function checkUnwatched(fd: number): void {
  const watcher = new binding.Watcher(fd, () => {})
  const error = watcher.watch(true)
  watcher.close()
  if (error === Errno.EEXIST) {
    throw new UsageError(
      `this thread’s event loop waits for it already: fd ${fd} is somebody else's, perhaps a net.Socket's`,
    )
  }
  succeeded(error, 'epoll_ctl', `fd ${fd}`)
}

function prepare(fd: number): void {
  succeeded(binding.setCloseOnExec(fd), 'fcntl', `fd ${fd}`)
  succeeded(binding.setNonBlocking(fd), 'fcntl', `fd ${fd}`)
}

function flawOf(state: SocketState, wanted: 'connected' | 'listening', type: number): string | undefined {
  if (state.domain !== AF_UNIX) return `is a socket of address family ${state.domain}`
  if (state.type !== type) return `is a Unix socket of type ${state.type} (${socketTypeOf(state.type) ?? 'unknown'})`
  if (state[wanted]) return undefined
  if (state.listening) return 'is a listening socket'
  return state.connected ? 'is a connected socket' : 'is a socket that is neither connected nor listening'
}

function describe(fd: number): string | undefined {
  const kind = binding.descriptorKind(fd)
  return typeof kind === 'string' && kind !== 'socket'
    ? `it is a ${kind === 'other' ? 'special file' : kind}`
    : undefined
}
