/**
 * ObservedTransport: a memory transport whose messages can be seen as they leave, and that can be cut.
 */

import type { FrameReceiver, MemoryTransport, RpcTransport } from '../../../src/rpc/index.js'
import type { Message } from '../../../src/rpc/machine/messages.js'
import { PillionWire } from '../../../src/rpc/wire/pillion-wire.js'
import type { Descriptor } from '../../../src/transport/index.js'

export class ObservedTransport implements RpcTransport {
  readonly carriesDescriptors = true
  readonly maxDescriptors = Number.POSITIVE_INFINITY
  readonly maxPayload = Number.POSITIVE_INFINITY
  readonly queuedBytes = 0
  readonly peer = undefined
  readonly #inner: MemoryTransport
  readonly #onSend: (message: Message) => void
  readonly #wire = new PillionWire()
  #receiver: FrameReceiver | undefined

  /** @param onSend gets each message as it leaves, decoded and its own memory */
  constructor(inner: MemoryTransport, onSend: (message: Message) => void) {
    this.#inner = inner
    this.#onSend = onSend
  }

  start(receiver: FrameReceiver): void {
    this.#receiver = receiver
    this.#inner.start(receiver)
  }

  send(head: Uint8Array, content: readonly Uint8Array[], descriptors: readonly Descriptor[]): Promise<void> | void {
    this.#onSend(this.#wire.decode(Buffer.concat([head, ...content])))
    return this.#inner.send(head, content, descriptors)
  }

  close(): void {
    this.#inner.close()
  }

  /** The connection is lost: what is under way does not arrive. */
  cut(): void {
    this.#inner.close()
    this.#receiver?.onEnd(new Error('cut'))
    this.#receiver = undefined
  }

  ref(): void {}

  unref(): void {}
}
