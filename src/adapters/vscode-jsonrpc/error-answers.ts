/**
 * Answers that are made here: to calls that do not reach the library, and in the name of a peer that answers no more.
 */
import { ErrorCodes, type Message } from 'vscode-jsonrpc/node'
import type { PillionError } from '../../errors.js'

/** To a call that is not made. */
export function refusal(id: unknown, { message, code }: PillionError): Message {
  return answer(id, { code: ErrorCodes.InternalError, message, data: { code } })
}

/** To a question of ours. */
export function unanswered(id: unknown): Message {
  const message = 'the peer has ended, and will not answer'
  return answer(id, { code: ErrorCodes.PendingResponseRejected, message })
}

function answer(id: unknown, error: object): Message {
  return { jsonrpc: '2.0', id, error } as Message
}
