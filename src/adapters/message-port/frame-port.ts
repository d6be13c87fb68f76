/**
 * FramePort: a MessagePort over a frame stream. Posting is sending: structured clones, with Descriptors anywhere in arrays,
 * plain objects, Maps and Sets.
 */
import { DescriptorLostError, UsageError } from '../../errors.js'
import { Descriptor, type Frame, type FrameStream } from '../../stream/index.js'
import { DescriptorPlace, deserialized, serialized } from './clone-codec.js'
import { PortEvents, parted } from './port-events.js'

export class FramePort extends PortEvents {
  readonly #stream: FrameStream
  #started = false

  /** Owns the stream from now on. It keeps the process alive as soon as it is started, as a MessagePort does. */
  constructor(stream: FrameStream) {
    super()
    this.#stream = stream
    stream.closed.then(
      () => this.emitClose(),
      (error: Error) => this.emitClose(error),
    )
  }

  /**
   * Sends a structured clone. Descriptors in it are duplicated; those that are in `transfer` too are taken over, once
   * nothing is wrong. False: the peer does not keep up, wait for `drained`.
   *
   * Throws UsageError for what cannot be cloned, and for anything else to transfer; what `FrameStream.send` throws.
   */
  postMessage(value: unknown, transfer: readonly unknown[] | { readonly transfer?: readonly unknown[] } = []): boolean {
    const transferred = transferredTo('another process', transfer)
    const { value: copy, descriptors } = parted(value, transferred, (index) => new DescriptorPlace(index))
    const below = this.#stream.send(serialized(copy), descriptors)
    for (const descriptor of transferred) descriptor.close()
    return below
  }

  drained(): Promise<void> {
    return this.#stream.drained()
  }

  start(): void {
    if (this.#started || this.#stream.destroyed) return
    this.#started = true
    this.#stream.on('frame', (frame) => this.#take(frame))
    this.#stream.on('end', () => this.close())
  }

  /** Both ends, behind what was posted. */
  close(): void {
    const stream = this.#stream
    stream.end().then(
      () => stream.destroy(),
      (error: Error) => stream.destroy(error),
    )
  }

  ref(): void {
    this.#stream.ref()
  }

  unref(): void {
    this.#stream.unref()
  }

  #take(frame: Frame): void {
    const used = new Set<Descriptor>()
    let value: unknown
    try {
      if (frame.lost > 0) throw new DescriptorLostError(`${frame.lost} descriptors of a message were lost on the way`)
      value = deserialized(frame.payload, frame.descriptors, (descriptor) => used.add(descriptor))
    } catch (error) {
      frame[Symbol.dispose]()
      this.emitError(error as Error)
      return
    }
    for (const descriptor of frame.descriptors) if (!used.has(descriptor)) descriptor.close()
    this.emitMessage(value, frame.descriptors)
  }
}

/** The Descriptors of a transfer list that has nothing else. */
function transferredTo(where: string, transfer: readonly unknown[] | { readonly transfer?: readonly unknown[] }) {
  const list = Array.isArray(transfer) ? transfer : ((transfer as { transfer?: readonly unknown[] }).transfer ?? [])
  const descriptors = new Set<Descriptor>()
  for (const item of list) {
    if (!(item instanceof Descriptor)) {
      throw new UsageError(`a Descriptor can be transferred to ${where}, and nothing else; an ArrayBuffer is copied`)
    }
    descriptors.add(item)
  }
  return descriptors
}
