/**
 * capnweb over a pillion stream: transports for its RpcSession, of strings or of structured values with Descriptors.
 *
 * What the values mean is capnweb's; of that library only the types are imported.
 */
import type { RpcTransport, RpcTransportWithCustomEncoding } from 'capnweb'
import { setImmediate } from '../../event-loop.js'
import { packValue, unpackValue } from '../../rpc/index.js'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { Untaken, type UntakenOptions } from '../link/untaken.js'
import { closeAll } from '../link/unwanted.js'
import { type CapnwebOptions, type Form, MessageTransport } from './message-transport.js'
import { descriptorOf, dropPassed, mayPass, withPassed } from './passed-descriptor.js'

export type { CapnwebOptions } from './message-transport.js'
export { type PassedDescriptor, passDescriptor, takeDescriptor } from './passed-descriptor.js'

export interface StructuredOptions extends CapnwebOptions, UntakenOptions {
  /** What capnweb leaves as it is. Default `jsonCompatibleWithBytes`. The other end's may be another. */
  readonly encodingLevel?: RpcTransportWithCustomEncoding['encodingLevel']
  /** Elements, keys and members of a message, either way. Default 1,000,000. Its bytes: the stream's `maxPayload`. */
  readonly maxValues?: number
}

/** A transport of the text that capnweb writes. It carries no descriptors. Owns the stream. */
export function stringTransport(stream: FrameStream, options: CapnwebOptions = {}): RpcTransport {
  return new StringTransport(stream, options)
}

/** A transport of values, which takes less time than text, and carries descriptors. Owns the stream. */
export function structuredTransport(
  stream: FrameStream,
  options: StructuredOptions = {},
): RpcTransportWithCustomEncoding {
  return new StructuredTransport(stream, options)
}

class StringTransport extends MessageTransport<string> {
  send(message: string): void {
    this.transmit(message, this.formOf(message))
  }

  protected override write(message: string): number {
    this.link.send(Buffer.from(message), [], [])
    return message.length
  }

  protected override read(payload: Uint8Array, descriptors: readonly Descriptor[]): string {
    closeAll(descriptors)
    return Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString()
  }

  protected override formOf(message: string): Form {
    const [, kind, id] = /^\["(\w+)"(?:,(-?\d+))?/.exec(message) ?? []
    return [kind, id === undefined ? undefined : Number(id)]
  }

  protected override fromForm(form: Form): string {
    return JSON.stringify(form)
  }
}

class StructuredTransport extends MessageTransport<unknown> {
  readonly encodingLevel
  readonly #limits
  readonly #untaken: Untaken
  /** Calls that the peer has let go of, and that came with descriptors: their end is to be known, and not told. */
  readonly #letGo = new Set<number>()
  #arrived: readonly Descriptor[] = []

  constructor(stream: FrameStream, options: StructuredOptions) {
    super(stream, options)
    const { encodingLevel = 'jsonCompatibleWithBytes', maxValues: values = 1_000_000, maxUntaken } = options
    this.encodingLevel = encodingLevel
    // capnweb's own limit is 256, each up to two of ours, inside the few that a call is.
    this.#limits = { depth: 600, values, bytes: 'copies', lost: 'in place' } as const
    this.#untaken = new Untaken(maxUntaken)
  }

  send(message: unknown): number {
    const form = message as Form
    const call = form[0] === 'resolve' || form[0] === 'reject' ? (form[1] as number) : 0
    const wanted = call === 0 || !this.#letGo.delete(call)
    const size = this.transmit(wanted || !mayPass() ? message : withPassed(message, dropPassed), form)
    if (call > 0) this.#untaken.close(call)
    return size
  }

  override abort(reason: unknown): void {
    super.abort(reason)
    setImmediate(() => this.#untaken.closeAll()) // whoever has just been given a result comes first
  }

  protected override write(message: unknown): number {
    const transferred: Descriptor[] = []
    try {
      const ready = mayPass() ? withPassed(message, (passed) => descriptorOf(passed, transferred)) : message
      const packed = packValue(ready, this.#limits)
      this.link.send(packed.payload, [], packed.descriptors)
      return packed.payload.length
    } finally {
      closeAll(transferred)
    }
  }

  protected override read(payload: Uint8Array, descriptors: readonly Descriptor[], lost: number): unknown {
    const unpacked = unpackValue({ payload, descriptors, lost }, this.#limits)
    this.#arrived = unpacked.descriptors
    return unpacked.value
  }

  protected override received(call: number): void {
    const arrived = this.#arrived
    this.#arrived = []
    if (arrived.length > 0) this.#untaken.add(call, arrived)
  }

  protected override letsGo(call: number): boolean {
    const holds = call > 0 && this.#untaken.has(call)
    if (holds) this.#letGo.add(call)
    return holds
  }

  protected override formOf(message: unknown): Form {
    return Array.isArray(message) ? message : []
  }

  protected override fromForm(form: Form): unknown {
    return form
  }
}
