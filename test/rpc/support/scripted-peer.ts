/**
 * ScriptedPeer: the other end of a connection, which says what the test says, and shows what it was told.
 */
import { MemoryTransport } from '../../../src/rpc/index.js'
import { type CapDescriptor, type Message, noPath, type WirePayload } from '../../../src/rpc/machine/messages.js'
import { rpcSettings } from '../../../src/rpc/options.js'
import { vatOf } from '../../../src/rpc/realm.js'
import { encodeValue } from '../../../src/rpc/values/encode.js'
import { PillionWire } from '../../../src/rpc/wire/pillion-wire.js'
import { contentOf } from '../../../src/rpc/wire/wire.js'
import { End } from './end.js'
import { ObservedTransport } from './observed-transport.js'

export class ScriptedPeer {
  /** The end that is tested. */
  readonly end: End
  readonly #transport: MemoryTransport
  readonly #wire = new PillionWire()
  readonly #received: Message[] = []
  #ended = false

  constructor(main: object = {}) {
    const [transport, ours] = MemoryTransport.pair()
    this.#transport = transport
    transport.start({
      onFrame: (bytes) => {
        this.#received.push(this.#wire.decode(Buffer.from(bytes)))
      },
      onBatchEnd: () => {},
      onEnd: () => {
        this.#ended = true
      },
    })
    this.end = new End('tested', new ObservedTransport(ours, () => {}), main)
  }

  /** Says these messages, and gives what is said in return. */
  async say(...messages: readonly Message[]): Promise<Message[]> {
    for (const message of messages) this.#transport.send(this.#wire.encode(message), contentOf(message), [])
    return await this.heard()
  }

  /** What was said since it was last asked. */
  async heard(): Promise<Message[]> {
    await new Promise((resolve) => setImmediate(resolve))
    return this.#received.splice(0)
  }

  encoded(message: Message | undefined): Uint8Array {
    if (message === undefined) throw new Error('nothing was said')
    return this.#wire.encode(message).slice()
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Ends the session properly. */
  async close(): Promise<void> {
    this.#transport.close()
    await this.heard()
  }
}

const { values } = vatOf(rpcSettings({}))

/** A value without capabilities. */
export function plain(value: unknown): WirePayload {
  return { content: encodeValue(value, 'value', 'lent', values.outgoing, values.limits).content, capTable: [] }
}

/** `value` in which each `RpcTarget` or function is the capability that stands at its place in the table. */
export function withCaps(value: unknown, capTable: readonly CapDescriptor[]): WirePayload {
  const payload = encodeValue(value, 'value', 'lent', values.outgoing, values.limits)
  payload.release()
  return { content: payload.content, capTable }
}

export function capDescriptor(kind: CapDescriptor['kind'], id: number): CapDescriptor {
  return { kind, id, transform: noPath }
}

export function call(questionId: number, exportId: number, method: string, params: WirePayload): Message {
  return {
    type: 'call',
    questionId,
    target: { kind: 'importedCap', id: exportId, transform: noPath },
    mode: 'call',
    method: [method],
    params,
    noPromisePipelining: false,
    onlyPromisePipeline: false,
    sendResultsTo: 'caller',
    deadline: 0,
    trace: undefined,
  }
}

export function returned(
  answerId: number,
  payload: WirePayload,
  hints: { releaseParamCaps?: boolean; noFinishNeeded?: boolean } = {},
): Message {
  const { releaseParamCaps = false, noFinishNeeded = false } = hints
  return { type: 'return', answerId, releaseParamCaps, noFinishNeeded, outcome: { kind: 'results', payload } }
}
