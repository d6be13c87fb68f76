/**
 * A connection of the library's with descriptors, and with an end for every call.
 *
 * The library has a place for a transport and none for descriptors: where it writes and reads a message's table of
 * capabilities, and where it sends and receives, a connection's own methods are taken, which its types call private.
 */
import type { Conn, Message } from 'capnp-ts'
import type { Payload } from 'capnp-ts/src/std/rpc.capnp.js'
import { checkParts } from '../capnp/library-parts.js'
import type { UntakenOptions } from '../link/untaken.js'
import { Attachments } from './attached.js'
import { checkPayload } from './checks.js'
import { type Delivering, Delivery } from './delivery.js'
import type { FrameTransport } from './frame-transport.js'
import { type Handling, Receiving } from './receiving.js'
import { Sending } from './sending.js'

/** What a connection of capnp-ts 0.9 has besides its public methods. */
interface Internals extends Delivering, Handling {
  encodeCapTable(message: Message, payload: Payload): void
  handleMessage(data: Uint8Array): void
  send(message: Message): void
}

const methods = [
  'close',
  'dispatchCall',
  'encodeCapTable',
  'decodeCapTable',
  'handleCall',
  'handleMessage',
  'send',
] as const satisfies readonly (keyof Internals)[]

/** Throws UsageError where the library is another than is known here. */
export function extend(extended: Conn, transport: FrameTransport, { maxUntaken }: UntakenOptions): void {
  const conn = extended as unknown as Internals
  checkParts('capnp-ts', '0.9.2 or 0.9.3', conn, methods)
  const { encodeCapTable, decodeCapTable, handleMessage } = conn
  const attachments = new Attachments(maxUntaken)
  const { kept } = attachments
  const sending = new Sending(conn.questions, transport, attachments)
  const delivery = new Delivery(conn)
  const receiving = new Receiving({ conn, transport, kept, sending, delivery })
  conn.encodeCapTable = (message, payload) => {
    encodeCapTable.call(conn, message, payload)
    attachments.enlist(message, payload)
  }
  conn.decodeCapTable = (message, payload) => {
    checkPayload(payload)
    decodeCapTable.call(conn, message, payload)
    attachments.claim(message, payload, transport.attached, receiving.question)
  }
  conn.handleMessage = (data) => {
    if (!receiving.handle(data)) handleMessage.call(conn, data)
  }
  conn.send = (message) => sending.send(message)
  transport.onEnd = () => delivery.end(() => kept.closeAll())
}
