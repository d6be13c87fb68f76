/** ./rpc.utils of capnp-es's tests: its connections, over streams. */
import { type FrameStream, pair } from 'pillion'
import { FrameConn } from 'pillion/adapters/capnp-es'
import { capnp } from 'pillion/framing'
import { markOverPillion } from '../over-pillion.js'

export class TestRPC {
  readonly #connections: FrameConn[] = []
  /** Ends that nobody has accepted, and those who wait for one. */
  readonly #connected: FrameStream[] = []
  readonly #accepting: ((connection: FrameConn) => void)[] = []

  connect(): FrameConn {
    const [existing] = this.#connections
    if (existing !== undefined) return existing
    markOverPillion()
    const [near, far] = pair({ codec: capnp() })
    const connection = new FrameConn(near)
    this.#connections.push(connection)
    const accept = this.#accepting.pop()
    if (accept === undefined) this.#connected.push(far)
    else accept(new FrameConn(far))
    return connection
  }

  async accept(): Promise<FrameConn> {
    const far = this.#connected.pop()
    if (far !== undefined) return new FrameConn(far)
    return await new Promise((resolve) => this.#accepting.push(resolve))
  }

  close(): void {
    for (const connection of this.#connections) connection.shutdown()
  }
}
