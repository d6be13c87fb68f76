/**
 * Kernel pipes, for data that is to go from process to process by itself: an end is passed on as a Descriptor, and what
 * is written then reaches its reader without passing through anybody else.
 *
 * Knows nothing of how the ends are passed.
 */
import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { UsageError } from '../errors.js'
import { adoptOwned, Descriptor, recallDescriptor } from './descriptor.js'
import { binding } from './native.js'
import { nodeNet } from './node-modules.js'
import { socketKind } from './socket-kind.js'
import { systemFailure } from './system-failure.js'

/** Two ends of one pipe. Disposing of it closes both, as far as they have not been taken. */
export interface Pipe extends Disposable {
  readonly readable: Descriptor
  readonly writable: Descriptor
}

/**
 * A pipe, both of its ends the caller's, and closed on exec. Its reader sees the end of the data when the last
 * descriptor of the writable end is closed: whoever passes a duplicate on (an argument of a call is one) closes its own
 * behind it. A writer whose reader has gone gets EPIPE.
 *
 * Throws SystemError EMFILE or ENFILE when no more files can be open.
 */
export function pipe(): Pipe {
  const numbers = binding.pipe()
  if (typeof numbers === 'number') throw systemFailure(numbers, 'pipe2')
  const [readable, writable] = numbers.map(adoptOwned) as [Descriptor, Descriptor]
  return {
    readable,
    writable,
    [Symbol.dispose]() {
      readable.close()
      writable.close()
    },
  }
}

/**
 * What comes out of a pipe or stream socket, as a stream of Node's, which reads it without keeping a thread waiting. Takes the
 * descriptor over, and sets O_NONBLOCK on the open file, for everybody who shares it. Destroying the stream closes it.
 *
 * Throws UsageError for a descriptor that is no pipe and no stream socket, Unix or TCP, and ClosedError; the descriptor is
 * then still the caller's.
 */
export function readFrom(descriptor: Descriptor): Readable {
  return socketOf(descriptor, { readable: true, writable: false })
}

/** What is written goes into a pipe or stream socket; otherwise as `readFrom`. Ending the stream closes it. */
export function writeTo(descriptor: Descriptor): Writable {
  return socketOf(descriptor, { readable: false, writable: true })
}

function socketOf(
  descriptor: Descriptor,
  direction: { readonly readable: boolean; readonly writable: boolean },
): Socket {
  if (!(descriptor instanceof Descriptor)) throw new UsageError('a stream is made of a Descriptor')
  const { kind } = descriptor
  if (kind === 'socket') {
    const { family, stream } = socketKind(descriptor)
    if (!stream || family === 'other')
      throw new UsageError('of sockets, a stream is made of a stream socket, Unix or TCP')
  } else if (kind !== 'pipe') {
    throw new UsageError(`a stream is made of a pipe or a socket, not of a ${kind}: use node:fs for that`)
  }
  const { Socket } = nodeNet()
  recallDescriptor(descriptor)
  const socket = new Socket({ fd: descriptor.fd, ...direction })
  descriptor.take() // the number is the socket's
  return socket
}
