/**
 * What is looked at in a message before the library gets it: its kind, and lists that the library goes through whole,
 * whatever length a few bytes say that they have.
 */
import { Message } from 'capnp-ts'
import {
  CapDescriptor_Which,
  Message_Which,
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

/** A message's kind, read where nearly all messages have it; where the root lies elsewhere, the library looks. */
export function kindOf(data: Uint8Array): Message_Which {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const root = 8 * (1 + ((view.getUint32(0, true) + 1) >>> 1))
  const pointer = view.getInt32(root, true)
  if ((pointer & 3) !== 0) return new Message(data, false).getRoot(RpcMessage).which()
  return view.getUint16(root + 8 + 8 * (pointer >> 2), true)
}

/** Throws for a call or an answer with a list that cannot be. */
export function checkPayload(message: Message, payload: Payload, kind: Message_Which): void {
  // Asked for where there is none, the library makes one, in a segment of its own.
  if (payload.hasCapTable()) {
    const caps = payload.getCapTable()
    if (caps.getLength() > mostCapabilities) throw new Error(`a message has ${caps.getLength()} capabilities`)
    for (const entry of caps.toArray()) {
      if (entry.which() === CapDescriptor_Which.RECEIVER_ANSWER) checkTransform(entry.getReceiverAnswer())
    }
  }
  if (kind === Message_Which.CALL) checkTarget(message.getRoot(RpcMessage).getCall().getTarget())
}

export function checkTarget(target: MessageTarget): void {
  if (target.which() === MessageTarget_Which.PROMISED_ANSWER) checkTransform(target.getPromisedAnswer())
}

function checkTransform(answer: PromisedAnswer): void {
  const length = answer.getTransform().getLength()
  if (length > mostSteps) throw new Error(`a promised answer is looked into ${length} times`)
}
