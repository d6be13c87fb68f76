/**
 * Which of a connection's questions a message is about.
 */
import { type Conn, Message as Whole } from 'capnp-es'
import { Message } from 'capnp-es/capnp/rpc'

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

/** The question that the peer does not implement, by what it sends back. It is one no more. */
export function popUnimplemented(conn: Conn, message: Message): Found {
  return message.which() === Message.CALL ? conn.popQuestion(message.call.questionId) : null
}

/**
 * Of a call that was sent back. The library at the other side holds the id for used until then; or it has no such answer, and
 * would look there for results if it were to release what is in them.
 */
export function finishOf(question: number): Message {
  const message = new Whole().initRoot(Message)
  const finish = message._initFinish()
  finish.questionId = question
  finish.releaseResultCaps = false
  return message
}
