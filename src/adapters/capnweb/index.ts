/**
 * capnweb over a pillion stream: transports for its RpcSession, of strings or of structured values with Descriptors.
 *
 * What the values mean is capnweb's; of that library only the types are imported.
 */
import type { RpcTransport, RpcTransportWithCustomEncoding } from 'capnweb'
import { packValue, RpcError, unpackValue } from '../../rpc/index.js'
import type { Descriptor, FrameStream } from '../../stream/index.js'
import { type CapnwebOptions, type Form, MessageTransport } from './message-transport.js'
import { isUntaken, mayPass, withDescriptors } from './passed-descriptor.js'

export type { CapnwebOptions } from './message-transport.js'
export { type PassedDescriptor, passDescriptor, takeDescriptor } from './passed-descriptor.js'

export interface StructuredOptions extends CapnwebOptions {
  /** What capnweb leaves as it is. Default `jsonCompatibleWithBytes`. The other end's may be another. */
  readonly encodingLevel?: RpcTransportWithCustomEncoding['encodingLevel']
  /** Elements, keys and members of a message, either way. Default 1,000,000. Its bytes: the stream's `maxPayload`. */
  readonly maxValues?: number
  /** Received descriptors that nobody has taken yet; with more the session ends. Default 1,024. */
  readonly maxUntaken?: number
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
    for (const descriptor of descriptors) descriptor.close()
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
  readonly #maxUntaken: number
  /** By the peer's call that they came with; 0: with a result. */
  readonly #untaken = new Map<number, Descriptor[]>()
  #arrived: readonly Descriptor[] = []

  constructor(stream: FrameStream, options: StructuredOptions) {
    super(stream, options)
    const { encodingLevel = 'jsonCompatibleWithBytes', maxValues: values = 1_000_000, maxUntaken = 1024 } = options
    this.encodingLevel = encodingLevel
    // capnweb's own limit is 256, each up to two of ours, inside the few that a call is.
    this.#limits = { depth: 600, values, bytes: 'copies', lost: 'in place' } as const
    this.#maxUntaken = maxUntaken
  }

  send(message: unknown): number {
    const form = message as Form
    const size = this.transmit(message, form)
    if (this.#untaken.size > 0 && (form[0] === 'resolve' || form[0] === 'reject')) this.#closeOf(form[1] as number)
    return size
  }

  override abort(reason: unknown): void {
    super.abort(reason)
    // Whoever has just been given a result comes first.
    setImmediate(() => {
      for (const call of [...this.#untaken.keys()]) this.#closeOf(call)
    })
  }

  protected override write(message: unknown): number {
    const descriptors: Descriptor[] = []
    try {
      const ready = mayPass() ? withDescriptors(message, descriptors) : message
      const packed = packValue(ready, this.#limits)
      this.link.send(packed.payload, [], packed.descriptors)
      return packed.payload.length
    } finally {
      for (const descriptor of descriptors) descriptor.close()
    }
  }

  protected override read(payload: Uint8Array, descriptors: readonly Descriptor[], lost: number): unknown {
    const unpacked = unpackValue({ payload, descriptors, lost }, this.#limits)
    this.#arrived = unpacked.descriptors
    return unpacked.value
  }

  protected override received(call: number): void {
    if (this.#arrived.length === 0) return
    this.#untaken.set(call, [...(this.#untaken.get(call) ?? []).filter(isUntaken), ...this.#arrived])
    this.#arrived = []
    let untaken = 0
    for (const held of this.#untaken.values()) untaken += held.length
    if (untaken <= this.#maxUntaken) return
    throw new RpcError('overloaded', `more than ${this.#maxUntaken} descriptors that nobody takes (maxUntaken)`)
  }

  protected override formOf(message: unknown): Form {
    return Array.isArray(message) ? message : []
  }

  protected override fromForm(form: Form): unknown {
    return form
  }

  #closeOf(call: number): void {
    for (const descriptor of this.#untaken.get(call) ?? []) if (isUntaken(descriptor)) descriptor.close()
    this.#untaken.delete(call)
  }
}
