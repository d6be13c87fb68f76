/**
 * What capnp-ts's tests connect with: their transport in memory and their WebSocket, by streams, and a Conn over either.
 *
 * They look at what is sent: it is logged where it enters the stream.
 */
import * as capnp from 'capnp-ts'
import { type Message_Which, Message as RpcMessage } from 'capnp-ts/src/std/rpc.capnp.js'
import { type FrameBatch, type FrameStream, pair } from 'pillion'
import { createConn, FrameTransport } from 'pillion/adapters/capnp-ts'
import { capnp as codec } from 'pillion/framing'
import { markOverPillion } from '../over-pillion.js'

export * from 'capnp-ts'

export function decodeMessageType(data: Uint8Array): Message_Which {
  return new capnp.Message(data, false).getRoot(RpcMessage).which()
}

interface LogEntry {
  readonly dir: 'send' | 'recv'
  readonly data: Uint8Array
}

export class TestTransport {
  static pair(): [TestTransport, TestTransport] {
    markOverPillion()
    const [near, far] = pair({ codec: codec() })
    return [new TestTransport(near), new TestTransport(far)]
  }

  readonly log: LogEntry[] = []
  readonly #stream: FrameStream
  /** Of the Conn over it, if there is one. */
  #transport: FrameTransport | undefined

  constructor(stream: FrameStream) {
    this.#stream = stream
    const send = stream.send.bind(stream)
    stream.send = (payload, ...rest) => {
      const pieces = payload instanceof Uint8Array ? [payload] : payload
      this.log.push({ dir: 'send', data: Uint8Array.from(Buffer.concat(pieces)) })
      return send(payload, ...rest)
    }
    const onBatch = stream.onBatch.bind(stream)
    stream.onBatch = (callback) =>
      onBatch((batch: FrameBatch) => {
        for (let i = 0; i < batch.length; i++) {
          this.log.push({ dir: 'recv', data: batch.bytes.slice(batch.start(i), batch.end(i)) })
        }
        callback(batch)
      })
  }

  connect(options?: Parameters<typeof createConn>[1]): capnp.Conn {
    const conn = createConn(this.#stream, options)
    this.#transport = conn.transport as FrameTransport
    return conn
  }

  send(data: Uint8Array): void {
    if (this.#open().closed) throw new Error('send after close')
    this.#open().send(data)
  }

  close(): void {
    this.#open().close()
  }

  #open(): FrameTransport {
    this.#transport ??= new FrameTransport(this.#stream)
    return this.#transport
  }

  firstRecvIndex(): number {
    return this.log.findIndex(({ dir }) => dir === 'recv')
  }

  sentTypes(): Message_Which[] {
    return this.log.filter(({ dir }) => dir === 'send').map(({ data }) => decodeMessageType(data))
  }
}

/** For `new Conn(transport)`: what a constructor returns is what `new` gives. */
export function Conn(transport: TestTransport, options?: Parameters<typeof createConn>[1]): capnp.Conn {
  return transport.connect(options)
}

/** ws's, of which there is one at a time, and the global WebSocket that connects to it. */
export class WebSocketServer {
  static accept: (end: TestTransport) => void

  address(): { port: number } {
    return { port: 1 }
  }

  on(_event: 'connection', listener: (end: TestTransport) => void): void {
    WebSocketServer.accept = listener
  }

  close(): void {}
}

function WebSocket(): TestTransport {
  const [near, far] = TestTransport.pair()
  setImmediate(() => WebSocketServer.accept(far))
  return near
}

Object.assign(globalThis, { WebSocket })
