/**
 * Descriptors as Node's own objects. Each function takes the descriptor over once the object is made, and Node closes the
 * number with it: at its end, at `destroy`, or at `close`. When a function throws, the descriptor is still the caller's.
 *
 * All of them set O_NONBLOCK on the open file, for everybody who shares it (docs/kernel.md fact 14), except for files.
 */
import cluster from 'node:cluster'
import { createReadStream, createWriteStream } from 'node:fs'
import { createServer, type Server, Socket, type SocketConstructorOpts } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { isatty, ReadStream, WriteStream } from 'node:tty'
import { UsageError } from '../../errors.js'
import { Descriptor, readFrom, writeTo } from '../../stream/index.js'
import { recallDescriptor, socketKind } from '../../transport/index.js'

/**
 * A connected socket, Unix or TCP, as a net.Socket, or an end of a pipe, which is open one way only: choose with
 * `readable` and `writable`. It reads at once if somebody listens, as one of `net.connect` does.
 *
 * Throws UsageError for anything else.
 */
export function toSocket(descriptor: Descriptor, options: Omit<SocketConstructorOpts, 'fd'> = {}): Socket {
  const kind = kindOf(descriptor)
  if (kind === 'socket') {
    const { family, stream, connected } = socketKind(descriptor)
    const fits = stream && connected && family !== 'other'
    if (!fits) throw new UsageError('a net.Socket is made of a connected stream socket, Unix or TCP')
  } else if (kind !== 'pipe') {
    throw new UsageError(`a net.Socket is made of a socket or a pipe, not of a ${kind}`)
  }
  recallDescriptor(descriptor)
  const socket = new Socket({ readable: true, writable: true, ...options, fd: descriptor.fd })
  descriptor.take() // the number is the socket's
  return socket
}

/** A server of Node's on a listening socket, such as one that was received or inherited. */
export function toServer(descriptor: Descriptor, listener?: (socket: Socket) => void): Server {
  return listenOn(createServer(listener), descriptor)
}

/**
 * Lets any server of Node's (net, http, https, http2) accept from a listening socket, Unix or TCP. `server.close()` closes
 * the number, and leaves a Unix socket's file alone. A `listen()` of the server's own that is still looking a name up
 * comes to nothing. Not for a worker of node:cluster, whose numbers are its parent's.
 *
 * Throws UsageError for what is no listening stream socket, and for a server that is listening already.
 */
export function listenOn<S extends Server>(server: S, descriptor: Descriptor): S {
  if (kindOf(descriptor) !== 'socket') throw new UsageError(`a server is given a socket, not a ${descriptor.kind}`)
  const { family, stream, listening } = socketKind(descriptor)
  const fits = stream && listening && family !== 'other'
  if (!fits) throw new UsageError('a server is given a listening stream socket, Unix or TCP')
  if (server.listening) throw new UsageError('the server is listening already')
  if (cluster.isWorker) throw new UsageError('in a worker of node:cluster a number is a descriptor of its parent')
  recallDescriptor(descriptor)
  server.listen({ fd: descriptor.fd })
  descriptor.take() // the number is the server's
  return server
}

/**
 * What a descriptor has to read. Of a file, memfd or device an fs.ReadStream: from `start` on, or without it from the
 * offset of the open file, which everybody who shares it moves. Of a pipe or stream socket one that keeps no thread
 * waiting, for which there is no `start`. Not of a directory, nor of a socket of messages.
 */
export function toReadStream(descriptor: Descriptor, options: FileOptions & { readonly end?: number } = {}): Readable {
  if (isPipe(descriptor, options)) return readFrom(descriptor)
  recallDescriptor(descriptor)
  const stream = createReadStream('', { ...options, fd: descriptor.fd, autoClose: true })
  descriptor.take() // the number is the stream's
  return stream
}

/** What is written goes to the descriptor; otherwise as `toReadStream`. */
export function toWriteStream(descriptor: Descriptor, options: FileOptions = {}): Writable {
  if (isPipe(descriptor, options)) return writeTo(descriptor)
  recallDescriptor(descriptor)
  const stream = createWriteStream('', { ...options, fd: descriptor.fd, autoClose: true })
  descriptor.take() // the number is the stream's
  return stream
}

export interface FileOptions {
  /** The first byte's place. Default: the open file's offset. */
  readonly start?: number
  readonly highWaterMark?: number
}

/** A terminal, to read from it or to write to it. Throws UsageError for what is none. */
export function toTty(descriptor: Descriptor, direction: 'read'): ReadStream
export function toTty(descriptor: Descriptor, direction: 'write'): WriteStream
export function toTty(descriptor: Descriptor, direction: 'read' | 'write'): ReadStream | WriteStream {
  if (!isatty(checked(descriptor).fd)) throw new UsageError(`a ${descriptor.kind} is no terminal`)
  recallDescriptor(descriptor)
  const { fd } = descriptor
  const stream = direction === 'read' ? new ReadStream(fd) : new WriteStream(fd)
  // libuv opens a terminal anew where it can, so that O_NONBLOCK is its own, and then leaves this number alone.
  const handle = (stream as unknown as { readonly _handle: { readonly fd: number } })._handle
  if (handle.fd === fd) descriptor.take()
  else descriptor.close()
  return stream
}

function isPipe(descriptor: Descriptor, options: FileOptions): boolean {
  const kind = kindOf(descriptor)
  if (kind === 'directory') throw new UsageError('a directory is not read or written as a stream')
  const pipe = kind === 'pipe' || kind === 'socket'
  if (pipe && options.start !== undefined) throw new UsageError(`a ${kind} has no place to start from`)
  return pipe
}

function kindOf(descriptor: Descriptor): Descriptor['kind'] {
  return checked(descriptor).kind
}

function checked(descriptor: Descriptor): Descriptor {
  if (descriptor instanceof Descriptor) return descriptor
  throw new UsageError('Node’s objects are made here of a Descriptor; Descriptor.own() makes one of a number')
}
