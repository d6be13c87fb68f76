/**
 * GrpcConnections: the connections of a listener of pillion's, each as a net.Socket for the HTTP/2 of a grpc server. Knows no
 * call.
 */
import type { Socket } from 'node:net'
import { type Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js'
import { checkFunction } from '../../arguments.js'
import { ClosedError, UsageError } from '../../errors.js'
import { clearTimeout, setTimeout } from '../../event-loop.js'
import type { FrameStream, Server } from '../../stream/index.js'
import { type Descriptor, recallDescriptor, socketKind } from '../../transport/index.js'
import { PeerSocket } from './peers.js'

export interface DrainOptions {
  /** How long calls may go on, in ms; what is left then is cut off. Default 5,000; 0: nothing may. */
  readonly drain?: number
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

/** For clients to take the end, and to end their side. */
const patienceMilliseconds = 1000
const longestTimer = 0x7fff_ffff

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
    recallDescriptor(descriptor)
    const socket = new PeerSocket(descriptor.fd)
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
   * a call at once, the others when their last call has ended, or `drain` is over; a client that does not read the end, a second
   * after that. Again, with a shorter `drain`, it hurries.
   * The grpc server is left to its `tryShutdown`, and to its other listeners.
   */
  async close({ drain = 5000 }: DrainOptions = {}): Promise<void> {
    if (!(drain >= 0 && drain <= longestTimer)) throw new UsageError(`drain is a number of ms from 0 on, not ${drain}`)
    this.#closed = true
    await this.#listener.close()
    this.#injector.drain(drain)
    // A session waits for its peer to end, also when it is destroyed.
    const patience = setTimeout(() => this.#cutOff(), Math.min(drain + patienceMilliseconds, longestTimer))
    await Promise.all(this.#sockets.values())
    clearTimeout(patience)
    this.#injector.destroy()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #cutOff(): void {
    for (const socket of this.#sockets.keys()) socket.destroy()
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
