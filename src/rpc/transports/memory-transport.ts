/**
 * MemoryTransport: two sessions of one thread, without a socket: for tests, and for objects that are to be called as if
 * they were elsewhere. Who decides when a message arrives can be given to it.
 */
import { FrameTooLargeError } from '../../errors.js'
import { queueMicrotask } from '../../event-loop.js'
import type { Descriptor, Peer } from '../../transport/index.js'
import type { FrameReceiver, RpcTransport } from '../transport.js'

/** Runs `deliver` some time after it returns. What goes one way has to be delivered in order. */
export type Schedule = (deliver: () => void, to: MemoryTransport) => void

export interface MemoryTransportOptions {
  /** Default: as soon as the code that is running is done. */
  readonly schedule?: Schedule
  /** Default true. */
  readonly carriesDescriptors?: boolean
  /** Of one message, in bytes. Default: none. */
  readonly maxPayload?: number
}

export class MemoryTransport implements RpcTransport {
  readonly carriesDescriptors: boolean
  readonly maxDescriptors = Number.POSITIVE_INFINITY
  readonly maxPayload: number
  readonly queuedBytes = 0
  readonly peer: Peer | undefined = undefined
  readonly #schedule: Schedule
  readonly #ends: readonly MemoryTransport[]
  #receiver: FrameReceiver | undefined
  readonly #early: (() => void)[] = []
  #closed = false

  /** Two ends. */
  static pair(options: MemoryTransportOptions = {}): [MemoryTransport, MemoryTransport] {
    const ends: MemoryTransport[] = []
    return [new MemoryTransport(options, ends), new MemoryTransport(options, ends)]
  }

  private constructor({ schedule, carriesDescriptors, maxPayload }: MemoryTransportOptions, ends: MemoryTransport[]) {
    this.#ends = ends
    ends.push(this)
    this.#schedule = schedule ?? ((deliver) => queueMicrotask(deliver))
    this.carriesDescriptors = carriesDescriptors ?? true
    this.maxPayload = maxPayload ?? Number.POSITIVE_INFINITY
  }

  start(receiver: FrameReceiver): void {
    this.#receiver = receiver
    for (const deliver of this.#early.splice(0)) deliver()
  }

  send(head: Uint8Array, content: readonly Uint8Array[], descriptors: readonly Descriptor[]): void {
    const other = this.#other
    if (this.#closed || other.#closed) {
      for (const descriptor of descriptors) descriptor.close()
      return
    }
    const bytes = Buffer.concat([head, ...content])
    if (bytes.length > this.maxPayload) {
      for (const descriptor of descriptors) descriptor.close()
      throw new FrameTooLargeError(
        `a message of ${bytes.length} bytes, the limit is ${this.maxPayload} (maxPayload)`,
        this.maxPayload,
      )
    }
    this.#schedule(() => other.#deliver(bytes, descriptors), other)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const deliver of this.#early.splice(0)) deliver() // what they bear is closed
    const other = this.#other
    this.#schedule(() => other.#end(), other)
  }

  ref(): void {}

  unref(): void {}

  get #other(): MemoryTransport {
    return this.#ends.find((end) => end !== this) as MemoryTransport
  }

  #deliver(bytes: Uint8Array, descriptors: readonly Descriptor[]): void {
    if (this.#closed) {
      for (const descriptor of descriptors) descriptor.close()
    } else if (this.#receiver === undefined) {
      this.#early.push(() => this.#deliver(bytes, descriptors))
    } else {
      this.#receiver.onFrame(bytes, descriptors, 0)
      this.#receiver?.onBatchEnd()
    }
  }

  #end(): void {
    if (this.#receiver === undefined && !this.#closed) {
      this.#early.push(() => this.#end())
      return
    }
    const receiver = this.#receiver
    this.#receiver = undefined
    if (!this.#closed) receiver?.onEnd(undefined)
    this.#closed = true
  }
}
