/**
 * Link: what the tables of a connection need of one another and of the way to the peer.
 */
import type { Descriptor } from '../../transport/index.js'
import type { RpcError } from '../rpc-error.js'
import type { CapTables } from './cap-tables.js'
import type { Embargo } from './embargoes.js'
import type { MessageRoom } from './message-room.js'
import type { Message, MessageTarget } from './messages.js'
import type { Payload } from './payload.js'
import type { Question } from './question.js'
import type { Vat } from './vat.js'

export interface Link {
  readonly vat: Vat
  readonly tables: CapTables
  readonly room: MessageRoom
  /** Why nothing works any more. */
  readonly failure: RpcError | undefined
  /** Takes over the descriptors. Does nothing but close them once the session has ended. */
  send(message: Message, descriptors?: readonly Descriptor[], question?: Question): void
  /** Why a payload cannot be sent by this session, if it cannot. Whether its message fits, `room` says. */
  faultOf(payload: Payload): Error | undefined
  /** Exports that the peer gives back, each named once. */
  releaseExports(ids: readonly number[]): void
  /** Asks the peer to send word by the way that calls to the target went. */
  embargo(target: MessageTarget): Embargo
  /** Something has become of a question or an answer: perhaps nothing is under way any more. */
  settled(): void
}
