/**
 * GrpcConnections: the connections of a listener of pillion's, each as a net.Socket for the HTTP/2 of a grpc server, and who is
 * at their other ends.
 */
import { Socket } from 'node:net'
import { type Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js'
import { checkFunction } from '../../arguments.js'
import { ClosedError, UsageError } from '../../errors.js'
import type { FrameStream, Server } from '../../stream/index.js'
import { type Descriptor, Peer, socketKind } from '../../transport/index.js'

export interface DrainOptions {
  /** How long calls may go on, in ms; what is left then is cut off. Default 5,000; 0: nothing may. */
  readonly drain?: number
}

/** What every call has that a handler is given. */
export interface CallWithPeer {
  getPeer(): string
}

/**
 * Gives the grpc server every connection that the listener accepts, of which its `authorize` has the first word. Owns the
 * listener from now on. The grpc server may have other listeners, of pillion's or bound by itself, and may have none.
 *
 * Throws UsageError for what is no listener or no grpc server, and for a listener that is consumed already.
 */
export function serveConnections(listener: Server, server: GrpcServer): GrpcConnections {
  return new GrpcConnections(listener, server)
}

/**
 * The process that makes this call, as the kernel knows it; to be asked while the connection is there, so at the beginning of
 * a handler: afterwards it is a ClosedError. A call that came another way has none: UsageError, or ClosedError where the
 * library knows no address for it.
 */
export function peerOf(call: CallWithPeer): Peer {
  const name = call.getPeer()
  const peer = peers.get(name)
  if (peer !== undefined) return peer
  if (name !== 'unknown' && !name.startsWith(prefix)) {
    throw new UsageError(`the call of ${name} did not come by a listener of pillion's`)
  }
  throw new ClosedError("the call's connection is gone, or did not come by a listener of pillion's")
}

/** Use `serveConnections`. */
export class GrpcConnections implements AsyncDisposable {
  readonly #listener: Server
  readonly #injector: ReturnType<GrpcServer['createConnectionInjector']>
  readonly #sockets = new Map<Socket, Promise<void>>()
  #closed = false

  constructor(listener: Server, server: GrpcServer) {
    checkFunction('detach of a listener', listener?.detach)
    checkFunction('createConnectionInjector of a grpc server', server?.createConnectionInjector)
    this.#listener = listener
    listener.on('connection', (stream) => void this.#accept(stream))
    // The kernel says who is there, and nobody can read along: TLS would add nothing.
    this.#injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  }

  /** How many there are. */
  get size(): number {
    return this.#sockets.size
  }

  /**
   * Serves a connected Unix socket that came another way: inherited, or accepted by another process. Takes it over.
   *
   * Throws UsageError for anything else, ClosedError when it, or this, is closed; the descriptor is then still the caller's.
   */
  add(descriptor: Descriptor): void {
    if (this.#closed) throw new ClosedError('the connections are closed')
    const { family, stream, connected } = socketKind(descriptor)
    if (family !== 'unix' || !stream || !connected) throw new UsageError('gRPC needs a connected Unix stream socket')
    const { fd } = descriptor
    let closed = false
    const peer = new Peer({
      get fd() {
        if (closed) throw new ClosedError('the connection is closed')
        return fd
      },
    })
    const socket = new NamedSocket(fd, peer, () => {
      closed = true
    })
    descriptor.take() // the number is the socket's
    const gone = new Promise<void>((resolve) => {
      socket.once('close', () => {
        this.#sockets.delete(socket)
        resolve()
      })
    })
    this.#sockets.set(socket, gone)
    this.#injector.injectConnection(socket)
  }

  /**
   * Stops listening, tells the clients to make no more calls here, and resolves when all connections are gone: those without
   * a call at once, the others when their last call has ended, or `drain` is over. Again, with a shorter `drain`, it hurries.
   * The grpc server is left to its `tryShutdown`, and to its other listeners.
   */
  async close({ drain = 5000 }: DrainOptions = {}): Promise<void> {
    if (!(drain >= 0 && drain <= 0x7fff_ffff)) throw new UsageError(`drain is a number of ms from 0 on, not ${drain}`)
    this.#closed = true
    await this.#listener.close()
    this.#injector.drain(drain)
    await Promise.all(this.#sockets.values())
    this.#injector.destroy()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #accept(stream: FrameStream): Promise<void> {
    try {
      await stream.stopReceiving() // nothing was received: nobody consumes it
      const { socket } = stream.detach()
      try {
        this.add(socket)
      } finally {
        socket.close() // does nothing once it has been taken over
      }
    } catch (error) {
      stream.destroy()
      if (!this.#closed) process.emitWarning(error as Error)
    }
  }
}

const prefix = 'unix:pid='
const peers = new Map<string, Peer>()
let introduced = 0

/** The library hands on a socket's address as that of the call's peer: here the name under which `peerOf` knows it. */
class NamedSocket extends Socket {
  readonly #name: string
  readonly #onDestroy: () => void

  constructor(fd: number, peer: Peer, onDestroy: () => void) {
    super({ fd, readable: true, writable: true })
    this.#name = `${prefix}${peer.pid},uid=${peer.uid},gid=${peer.gid},connection=${++introduced}`
    this.#onDestroy = onDestroy
    Object.defineProperty(this, 'remoteAddress', { value: this.#name })
    peers.set(this.#name, peer)
  }

  /** Here the number is given back. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#onDestroy()
    peers.delete(this.#name)
    super._destroy(error, done)
  }
}
