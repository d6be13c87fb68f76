/**
 * What is looked at in a message before the library gets it: the lists that it goes through whole.
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
import { checkCapabilities, checkSteps } from '../capnp/list-lengths.js'

/** Throws for params or results with a list that cannot be. */
export function checkPayload(payload: Payload): void {
  // Asked for where there is none, the library makes one, in a segment of its own.
  if (!payload.hasCapTable()) return
  const caps = payload.getCapTable()
  checkCapabilities(caps.getLength())
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
  checkSteps(answer.getTransform().getLength())
}
