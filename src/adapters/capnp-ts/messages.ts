/**
 * Messages between their bytes and what the library makes of them, each copied once: of itself it copies twice what it
 * receives, and makes two buffers more of what it sends. A Finish needs no message of the library's at all.
 */
import { Message } from 'capnp-ts'
import { MultiSegmentArena } from 'capnp-ts/src/serialization/arena/index.js'
import { preallocateSegments } from 'capnp-ts/src/serialization/message.js'
import { Message_Which, Message as RpcMessage } from 'capnp-ts/src/std/rpc.capnp.js'

const bytesInWord = 8
/** Where one segment begins, by its table, and where its root struct lies, as a rule. */
const segment = 8
const root = segment + bytesInWord

/** A message's kind, read where nearly all messages have it; where the root lies elsewhere, the library looks. */
export function kindOf(data: Uint8Array): Message_Which {
  const view = viewOf(data)
  return isUsual(view) ? view.getUint16(root, true) : read(data).which()
}

/** The id of the question that a Bootstrap, Call, Return or Finish is about: the first that each of them has. */
export function questionOf(data: Uint8Array): number {
  const view = viewOf(data)
  const pointer = root + bytesInWord * view.getUint16(segment + 4, true)
  const isNext = isUsual(view) && view.getUint32(pointer, true) === 0 && view.getUint16(pointer + 4, true) > 0
  return isNext ? view.getUint32(pointer + bytesInWord, true) : questionIn(read(data))
}

function questionIn(message: RpcMessage): number {
  switch (message.which()) {
    case Message_Which.BOOTSTRAP:
      return message.getBootstrap().getQuestionId()
    case Message_Which.CALL:
      return message.getCall().getQuestionId()
    case Message_Which.RETURN:
      return message.getReturn().getAnswerId()
    default:
      return message.getFinish().getQuestionId()
  }
}

/** The library's message of bytes that may be written again. */
export function received(data: Uint8Array): Message {
  if (viewOf(data).getUint32(0, true) !== 0) return new Message(data, false)
  const { buffer, byteOffset, byteLength } = data
  const copy = buffer.slice(byteOffset + segment, byteOffset + byteLength) as ArrayBuffer
  const message = new Message(new MultiSegmentArena([copy]))
  preallocateSegments(message)
  return message
}

/** Memory for one short message at a time, which the stream copies before `send` returns. */
const short = new Uint8Array(4096)
const shortView = new DataView(short.buffer)

/** The bytes of a message to be sent, valid until the next one's. */
export function bytesOf(message: Message): Uint8Array {
  const [first, second] = message._capnp.segments
  const end = segment + (first?.byteLength ?? 0)
  if (first === undefined || second !== undefined || end > short.length) return new Uint8Array(message.toArrayBuffer())
  shortView.setUint32(4, first.byteLength / bytesInWord, true)
  short.set(new Uint8Array(first.buffer, 0, first.byteLength), segment)
  return short.subarray(0, end)
}

const finish = (() => {
  const message = new Message()
  message.initRoot(RpcMessage).initFinish().setReleaseResultCaps(false)
  return new DataView(message.toArrayBuffer())
})()

/** Likewise: a Finish that lets the results' capabilities be. */
export function finishOf(question: number): Uint8Array {
  finish.setUint32(finish.byteLength - bytesInWord, question, true)
  return new Uint8Array(finish.buffer)
}

/** One segment, that begins with its root. */
function isUsual(view: DataView): boolean {
  return (
    view.getUint32(0, true) === 0 &&
    view.getUint32(segment, true) === 0 &&
    view.getUint16(segment + 4, true) > 0 &&
    view.getUint16(segment + 6, true) > 0
  )
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

function read(data: Uint8Array): RpcMessage {
  return new Message(data, false).getRoot(RpcMessage)
}
