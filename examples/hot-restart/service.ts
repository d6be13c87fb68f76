/**
 * The service: a listening socket and its connections, each with its state. All of it can be handed to a successor, and
 * taken over from a predecessor. Knows nothing of processes.
 */
import { adopt, type Descriptor, listen, type Server } from 'pillion'
import type { RpcStub } from 'pillion/rpc'
import { Connection } from './connection.js'
import type { ConnectionState, HandedOver, Successor } from './handover.js'
import { encodeAnswer, sequenceOf } from './protocol.js'

export class Service {
  readonly #generation: number
  readonly #connections = new Set<Connection>()
  #server: Server | undefined

  constructor(generation: number) {
    this.#generation = generation
  }

  /** A path; or a listening socket, which is taken over. */
  async listen(address: string | Descriptor): Promise<void> {
    this.#server = await listen(typeof address === 'string' ? address : { fd: address })
    this.#server.on('connection', (stream) => this.#serve(new Connection(stream, 0)))
  }

  /** A connection that somebody else has served so far. The socket is taken over. */
  adopt(socket: Descriptor, { unread, served }: ConnectionState): void {
    this.#serve(new Connection(adopt(socket, { unread }), served))
  }

  async handOver(successor: RpcStub<Successor>): Promise<HandedOver> {
    await this.#handOverListening(successor)
    const handing = [...this.#connections].map((connection) => this.#handOver(connection, successor))
    const states = (await Promise.all(handing)).filter((state) => state !== undefined)
    return { connections: states.length, inFrame: states.filter(({ unread }) => unread.length > 0).length }
  }

  /** Takes no more connections. Those that there are are served to their ends. */
  async close(): Promise<void> {
    await this.#server?.close()
  }

  /** Those who connect meanwhile wait in the backlog. */
  async #handOverListening(successor: RpcStub<Successor>): Promise<void> {
    if (this.#server === undefined) throw new Error('it has been handed over already')
    const listening = this.#server.detach()
    this.#server = undefined
    try {
      await successor.listen(listening)
    } catch (error) {
      await this.listen(listening)
      throw error
    }
    listening.close()
  }

  async #handOver(connection: Connection, successor: RpcStub<Successor>): Promise<ConnectionState | undefined> {
    const detached = await connection.detach()
    if (detached === undefined) return undefined
    const { socket, state } = detached
    try {
      await successor.adopt(socket, state)
    } catch (error) {
      this.adopt(socket, state)
      throw error
    }
    socket.close()
    return state
  }

  #serve(connection: Connection): void {
    this.#connections.add(connection)
    const generation = this.#generation
    const answer = (request: Uint8Array, served: number) =>
      encodeAnswer({ sequence: sequenceOf(request), served, generation })
    void connection.serve(answer).finally(() => this.#connections.delete(connection))
  }
}
