/**
 * Which of a connection's questions a message is about, and the end of those that it does not answer.
 */
import { type Conn, Message as Whole } from 'capnp-es'
import { Message, type Return } from 'capnp-es/capnp/rpc'
import { RpcError } from '../../rpc/index.js'
import { withoutResults } from '../capnp/without-results.js'

type Found = ReturnType<Conn['findQuestion']>

/** The question that a message asks which is sent. */
export function asked(conn: Conn, message: Message): Found {
  if (message.which() === Message.CALL) return conn.findQuestion(message.call.questionId)
  if (message.which() === Message.BOOTSTRAP) return conn.findQuestion(message.bootstrap.questionId)
  return null
}

/** The question that a message answers which has come. */
export function answered(conn: Conn, message: Message): Found {
  return message.which() === Message.RETURN ? conn.findQuestion(message.return.answerId) : null
}

/** The peer's question that a message answers which is sent: by a Return, or by sending it back. */
export function answeredBy(message: Message): number | undefined {
  if (message.which() === Message.RETURN) return message.return.answerId
  if (message.which() !== Message.UNIMPLEMENTED) return undefined
  const { unimplemented } = message
  return unimplemented.which() === Message.CALL ? unimplemented.call.questionId : undefined
}

/** By what the peer sends back, since it does not implement it. The question is one no more. */
export function rejectUnimplemented(conn: Conn, message: Message): void {
  const question = message.which() === Message.CALL ? conn.popQuestion(message.call.questionId) : null
  if (question === null || question === undefined) return
  question.reject(new RpcError('unimplemented', 'the peer does not implement this call', { origin: 'remote' }))
  conn.sendMessage(finishOf(question.id))
}

/** By a Return without results or an exception. Throws RpcError where nobody asked for such a one. */
export function rejectWithoutResults(conn: Conn, answer: Return): void {
  const error = withoutResults(answer.which())
  const question = conn.popQuestion(answer.answerId)
  if (question === null || question === undefined) throw new Error('a question that is not there was answered')
  question.reject(error)
  conn.sendMessage(finishOf(question.id))
}

/**
 * The library at the other side holds the id for used until then; or it has no such answer, and would look there for results
 * if it were to release what is in them.
 */
function finishOf(question: number): Message {
  const message = new Whole().initRoot(Message)
  const finish = message._initFinish()
  finish.questionId = question
  finish.releaseResultCaps = false
  return message
}
