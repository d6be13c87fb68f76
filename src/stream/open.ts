/**
 * Where streams come from, besides a server: a connection, a pair, a socket that somebody else made.
 */
import { shown } from '../arguments.js'
import { UsageError } from '../errors.js'
import { adoptSocket } from '../transport/adopt-socket.js'
import { openUnix } from '../transport/connect.js'
import { type Address, closeDescriptors, type Descriptor, pairUnix } from '../transport/index.js'
import { prepareReadiness } from '../transport/socket-options.js'
import { FrameStream } from './frame-stream.js'
import { type StreamOptions, type StreamSettings, streamSettings } from './options.js'

export interface ConnectOptions extends StreamOptions {
  /** Milliseconds to wait while the listener's backlog is full. Default 30,000. */
  readonly timeout?: number
}

/**
 * Connects to a listening Unix socket; with `type: 'datagram'`, to one that is bound, such as a log's or systemd's.
 *
 * Rejects with SystemError (`code` 'ENOENT': nothing there; 'ECONNREFUSED': nobody listens there any more),
 * PermissionError (the file's mode), TimeoutError (the backlog stayed full), UsageError (an address or option that can
 * never work), or the signal's reason. With `{ fd }` it adopts that descriptor.
 */
export async function connect(address: Address, options: ConnectOptions = {}): Promise<FrameStream> {
  const settings = prepare(options)
  const { signal } = options
  const opened = await openUnix(address, options)
  // Aborted when there was nothing to wait for any more, or from within a getter of the options.
  if (signal?.aborted === true) {
    closeDescriptors([opened.fd])
    throw signal.reason
  }
  return FrameStream.over(opened.fd, settings, opened.address, signal)
}

/**
 * Two streams connected to each other (socketpair), both in this process. To hand an end to a child process, make the
 * pair by `pairUnix` of pillion/transport: the child `adopt`s the descriptor that it inherits, and this process a
 * `Descriptor.dup` of its own end, before it closes both numbers by `closeDescriptors`.
 */
export function pair(options: StreamOptions = {}): [FrameStream, FrameStream] {
  const settings = prepare(options)
  const { signal, type } = options
  const [a, b] = pairUnix(type)
  let first: FrameStream
  try {
    first = FrameStream.over(a, settings, undefined, signal)
  } catch (error) {
    closeDescriptors([b])
    throw error
  }
  try {
    return [first, FrameStream.over(b, settings, undefined, signal)]
  } catch (error) {
    first.destroy()
    throw error
  }
}

export interface AdoptOptions extends StreamOptions {
  /** Bytes of the connection that somebody else has received already, as `detach` gives them: they come first. Copied. */
  readonly unread?: Uint8Array
}

/**
 * A stream over a connected Unix socket of the given `type`: inherited, received, or made by another library. The stream
 * owns it from now on. Throws UsageError when it is a socket of another kind or in another state, SystemError when it is no socket
 * (ENOTSOCK) or not open (EBADF); it is then still the caller's.
 *
 * O_NONBLOCK is set on the open file, and so for everybody who shares it (docs/kernel.md fact 14).
 */
export function adopt(fd: number | Descriptor, options: AdoptOptions = {}): FrameStream {
  const settings = prepare(options)
  const { unread, signal, type } = options
  checkUnread(unread, type)
  const adopted = adoptSocket(fd, 'connected', type)
  return FrameStream.over(adopted.fd, settings, adopted.address, signal, unread)
}

function checkUnread(unread: Uint8Array | undefined, type: StreamOptions['type'] = 'stream'): void {
  if (unread === undefined) return
  if (!(unread instanceof Uint8Array)) throw new UsageError(`unread is a Uint8Array, not ${shown(unread)}`)
  if (unread.length === 0 || type === 'stream') return
  throw new UsageError(`type '${type}' has no unread bytes: the kernel keeps messages whole`)
}

/** What cannot work is said before anything is opened, or taken over: a caller keeps what could not be adopted. */
function prepare(options: StreamOptions): StreamSettings {
  const settings = streamSettings(options)
  prepareReadiness(settings.socket)
  return settings
}
