/**
 * What is looked at in a message before the library gets it: lists that it goes through whole, whatever length a few bytes say
 * that they have.
 */
import type { Message } from 'capnp-ts'
import {
  CapDescriptor_Which,
  type MessageTarget,
  MessageTarget_Which,
  type Payload,
  type PromisedAnswer,
  Message as RpcMessage,
} from 'capnp-ts/src/std/rpc.capnp.js'

/** Of one message. */
const mostCapabilities = 4096
/** To a capability in an answer. */
const mostSteps = 64

/** Throws for params or results with a list that cannot be. */
export function checkPayload(payload: Payload): void {
  // Asked for where there is none, the library makes one, in a segment of its own.
  if (!payload.hasCapTable()) return
  const caps = payload.getCapTable()
  if (caps.getLength() > mostCapabilities) throw new Error(`a message has ${caps.getLength()} capabilities`)
  for (const entry of caps.toArray()) {
    if (entry.which() === CapDescriptor_Which.RECEIVER_ANSWER) checkTransform(entry.getReceiverAnswer())
  }
}

/** Whether it is in an answer. */
export function checkTarget(target: MessageTarget): boolean {
  if (target.which() !== MessageTarget_Which.PROMISED_ANSWER) return false
  checkTransform(target.getPromisedAnswer())
  return true
}

export function checkDisembargo(message: Message): void {
  checkTarget(message.getRoot(RpcMessage).getDisembargo().getTarget())
}

function checkTransform(answer: PromisedAnswer): void {
  const length = answer.getTransform().getLength()
  if (length > mostSteps) throw new Error(`a promised answer is looked into ${length} times`)
}
