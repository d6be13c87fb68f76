/**
 * pillion/adapters/capnp-ts: the RPC of capnp-ts over a frame stream by capnp(), with the descriptors that Cap'n Proto attaches
 * to capabilities.
 *
 * The library has a place for a transport and none for descriptors: where it writes and reads a message's table of
 * capabilities, and where it sends, a connection's own methods are taken, which its types call private.
 */
import { type Client, Conn, type ConnOptions, Message, type Server } from 'capnp-ts'
import {
  CapDescriptor_Which,
  Message_Which,
  type MessageTarget,
  MessageTarget_Which,
  type Payload,
  type PromisedAnswer,
  Return_Which,
  Message as RpcMessage,
} from 'capnp-ts/src/std/rpc.capnp.js'
import { DescriptorLostError, FrameTooLargeError, UsageError } from '../../errors.js'
import { RpcError } from '../../rpc/index.js'
import { Descriptor, type FrameStream } from '../../stream/index.js'
import { FrameTransport, type FrameTransportOptions } from './frame-transport.js'

export { FrameTransport, type FrameTransportOptions } from './frame-transport.js'

/** What a connection of capnp-ts 0.9 has besides its public methods. */
interface Internals {
  deliveryChain: Promise<unknown>
  readonly questions: Map<number, { reject(error: Error): void }>
  encodeCapTable(message: Message, payload: Payload): void
  decodeCapTable(message: Message, payload: Payload): void
  handleMessage(data: Uint8Array): void
  send(message: Message): void
}
type Target = { readonly _target?: { readonly tag: string; readonly server?: object } }
type Caps = { readonly _capnp: { readonly capTable?: readonly (Client | null)[] } }

/** As `attachedFd` says that there is none. */
const noIndex = 255

/** Of one message. */
const mostCapabilities = 4096
/** To a capability in an answer. */
const mostSteps = 64

const ours = new WeakMap<object, Descriptor>()
const theirs = new WeakMap<object, Descriptor | DescriptorLostError>()

/**
 * From now on a duplicate of the descriptor travels with this capability each time it is sent by a connection of
 * `createConn`. It stays the caller's, to be closed once the capability is not sent any more.
 */
export function attachDescriptor(server: Server, descriptor: Descriptor): void {
  if (!(descriptor instanceof Descriptor)) throw new UsageError('what is attached to a capability is a Descriptor')
  ours.set(server, descriptor)
}

/**
 * What came with a capability; undefined: nothing. It is the connection's: closed when it ends, and if the capability came
 * with a call, when that has been answered. Take or duplicate it before. Throws DescriptorLostError where it was lost.
 * @param client a generated client, or what one is made of
 */
export function descriptorOf(client: Client | { readonly client: Client }): Descriptor | undefined {
  const found = theirs.get('client' in client ? client.client : client)
  if (found instanceof DescriptorLostError) throw found
  return found
}

/**
 * A connection that owns the stream. Calls reject when the stream ends, when they cannot be sent, and when the peer does not
 * implement them; messages that cannot be end it, with an RpcError to `onError`.
 *
 * Throws UsageError for a stream of another codec than capnp(), and where the library is another than is known here.
 */
export function createConn(stream: FrameStream, options: ConnOptions & FrameTransportOptions = {}): Conn {
  const transport = new FrameTransport(stream, options)
  const conn = new Conn(transport, options)
  new Extended(conn as unknown as Internals, transport)
  return conn
}

class Extended {
  readonly #conn: Internals
  readonly #transport: FrameTransport
  readonly #outgoing = new WeakMap<Message, Descriptor[]>()
  /** Received and not closed yet: of calls, by the question's id, and of results. */
  readonly #ofCalls = new Map<number, Descriptor[]>()
  #ofResults: Descriptor[] = []
  #prunedFrom = 64

  constructor(conn: Internals, transport: FrameTransport) {
    this.#conn = conn
    this.#transport = transport
    for (const name of ['encodeCapTable', 'decodeCapTable', 'handleMessage', 'send'] as const) {
      if (typeof conn[name] !== 'function') throw new UsageError(`this version of capnp-ts has no Conn.${name}`)
    }
    const { encodeCapTable, decodeCapTable, handleMessage } = conn
    conn.encodeCapTable = (message, payload) => {
      encodeCapTable.call(conn, message, payload)
      this.#enlist(message, payload)
    }
    conn.decodeCapTable = (message, payload) => {
      checkLists(message, payload)
      decodeCapTable.call(conn, message, payload)
      this.#claim(message, payload)
    }
    conn.handleMessage = (data) => {
      const kind = kindOf(data)
      if (kind === Message_Which.UNIMPLEMENTED) {
        this.#unimplemented(new Message(data, false).getRoot(RpcMessage).getUnimplemented())
        return
      }
      if (Message_Which[kind] === undefined) throw new Error(`there is no message ${kind}`)
      if (kind === Message_Which.DISEMBARGO)
        checkTarget(new Message(data, false).getRoot(RpcMessage).getDisembargo().getTarget())
      handleMessage.call(conn, data)
      if (kind === Message_Which.CALL) this.#watchDelivery()
    }
    conn.send = (message) => this.#send(message)
    transport.onEnd = () => this.#end()
  }

  #enlist(message: Message, payload: Payload): void {
    const caps = (message as Caps)._capnp.capTable ?? []
    for (const [i, client] of caps.entries()) {
      const { tag, server } = (client as Target | null)?._target ?? {}
      const descriptor = tag === 'local' && server !== undefined ? ours.get(server) : undefined
      if (descriptor === undefined) continue
      const descriptors = this.#outgoing.get(message) ?? []
      this.#outgoing.set(message, descriptors)
      payload
        .getCapTable()
        .get(i)
        .setAttachedFd(Math.min(noIndex, descriptors.push(descriptor) - 1))
    }
  }

  #claim(message: Message, payload: Payload): void {
    const frame = this.#transport.current
    const caps = (message as Caps)._capnp.capTable
    if (frame === undefined || caps === undefined || (frame.descriptors.length === 0 && frame.lost === 0)) return
    for (const [i, entry] of payload.getCapTable().toArray().entries()) {
      const client = caps[i]
      const index = entry.getAttachedFd()
      if (!client || entry.which() !== CapDescriptor_Which.SENDER_HOSTED || index === noIndex) continue
      const descriptor = frame.descriptors[index]
      const known = theirs.get(client)
      if (known instanceof Descriptor && !known.closed) continue // the capability has come before
      if (descriptor === undefined && frame.lost > 0) {
        theirs.set(client, new DescriptorLostError('the descriptor of a capability was lost'))
      } else if (descriptor?.closed === false) {
        const claimed = Descriptor.own(descriptor.take()) // the frame closes the others
        theirs.set(client, claimed)
        this.#keep(message, claimed)
      }
    }
  }

  #keep(message: Message, descriptor: Descriptor): void {
    const root = message.getRoot(RpcMessage)
    if (root.which() === Message_Which.CALL) {
      const id = root.getCall().getQuestionId()
      this.#ofCalls.set(id, [...(this.#ofCalls.get(id) ?? []), descriptor])
      return
    }
    if (this.#ofResults.push(descriptor) < this.#prunedFrom) return
    this.#ofResults = this.#ofResults.filter(({ closed }) => !closed)
    this.#prunedFrom = 64 + 2 * this.#ofResults.length
  }

  /** Throws for a call that cannot be sent; an answer that cannot is one that says so. */
  #send(message: Message): void {
    const root = message.getRoot(RpcMessage)
    const isReturn = root.which() === Message_Which.RETURN
    try {
      const descriptors = this.#outgoing.get(message)
      this.#outgoing.delete(message)
      const bytes = new Uint8Array(message.toArrayBuffer())
      if (descriptors === undefined) this.#transport.send(bytes)
      else this.#transport.sendWith(bytes, descriptors).catch((error: Error) => this.#unsent(root, error))
    } catch (error) {
      if (root.which() !== Message_Which.CALL && root.which() !== Message_Which.BOOTSTRAP) {
        this.#unsent(root, error as Error)
        return
      }
      this.#unsent(root, error as Error)
      throw error
    } finally {
      if (isReturn) this.#closeCall(root.getReturn().getAnswerId())
    }
  }

  #unsent(root: RpcMessage, error: Error): void {
    switch (root.which()) {
      case Message_Which.CALL:
        this.#reject(root.getCall().getQuestionId(), error)
        break
      case Message_Which.BOOTSTRAP:
        this.#reject(root.getBootstrap().getQuestionId(), error)
        break
      case Message_Which.RETURN: {
        const answer = root.getReturn()
        if (this.#transport.closed) break
        if (answer.which() === Return_Which.EXCEPTION && !(error instanceof FrameTooLargeError)) {
          this.#transport.destroy(error)
        } else {
          this.#answerWith(answer.getAnswerId(), error)
        }
        break
      }
      default: // it answers something that has no answer by now
        if (!this.#transport.closed) this.#transport.destroy(error)
    }
  }

  #answerWith(id: number, error: Error): void {
    const message = new Message()
    const answer = message.initRoot(RpcMessage).initReturn()
    answer.setAnswerId(id)
    answer.initException().setReason(error.message)
    try {
      this.#transport.send(new Uint8Array(message.toArrayBuffer()))
    } catch (again) {
      this.#transport.destroy(again as Error)
    }
  }

  #reject(id: number, error: Error): void {
    this.#conn.questions.get(id)?.reject(error)
    this.#conn.questions.delete(id)
  }

  #unimplemented(message: RpcMessage): void {
    if (message.which() !== Message_Which.CALL) return
    const error = new RpcError('unimplemented', 'the peer does not implement this call', { origin: 'remote' })
    this.#reject(message.getCall().getQuestionId(), error)
  }

  /** Where a call's target is found only later, what is wrong with it would be nobody's error. */
  #watchDelivery(): void {
    this.#conn.deliveryChain.catch((cause: unknown) => {
      if (this.#transport.closed) return
      this.#transport.destroy(new RpcError('failed', `a call cannot be: ${String(cause)}`, { origin: 'remote', cause }))
    })
  }

  #end(): void {
    for (const id of [...this.#ofCalls.keys()]) this.#closeCall(id)
    for (const descriptor of this.#ofResults.splice(0)) descriptor.close()
  }

  #closeCall(id: number): void {
    for (const descriptor of this.#ofCalls.get(id) ?? []) descriptor.close()
    this.#ofCalls.delete(id)
  }
}

/** The library goes through these lists whole, whatever length a few bytes say that they have. */
function checkLists(message: Message, payload: Payload): void {
  const caps = payload.getCapTable()
  if (caps.getLength() > mostCapabilities) throw new Error(`a message has ${caps.getLength()} capabilities`)
  for (const entry of caps.toArray()) {
    if (entry.which() === CapDescriptor_Which.RECEIVER_ANSWER) checkTransform(entry.getReceiverAnswer())
  }
  const root = message.getRoot(RpcMessage)
  if (root.which() === Message_Which.CALL) checkTarget(root.getCall().getTarget())
}

function checkTarget(target: MessageTarget): void {
  if (target.which() === MessageTarget_Which.PROMISED_ANSWER) checkTransform(target.getPromisedAnswer())
}

function checkTransform(answer: PromisedAnswer): void {
  const length = answer.getTransform().getLength()
  if (length > mostSteps) throw new Error(`a promised answer is looked into ${length} times`)
}

/** A message's kind, read where nearly all messages have it; where the root lies elsewhere, the library looks. */
function kindOf(data: Uint8Array): Message_Which {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const root = 8 * (1 + ((view.getUint32(0, true) + 1) >>> 1))
  const pointer = view.getInt32(root, true)
  if ((pointer & 3) !== 0) return new Message(data, false).getRoot(RpcMessage).which()
  return view.getUint16(root + 8 + 8 * (pointer >> 2), true)
}
