/**
 * FramePort: a MessagePort over a frame stream. Posting is sending: structured clones, with Descriptors anywhere in arrays,
 * plain objects, Maps and Sets.
 */
import { DescriptorLostError, UsageError } from '../../errors.js'
import { clearTimeout, setTimeout } from '../../event-loop.js'
import { Descriptor, type Frame, type FrameStream } from '../../stream/index.js'
import { DescriptorPlace, deserialized, serialized } from './clone-codec.js'
import { parted } from './parted.js'
import { PortEvents } from './port-events.js'

/** For a peer that does not end, once this end has been closed and all that was posted has gone. */
const lingerMilliseconds = 2000

export class FramePort extends PortEvents {
  readonly #stream: FrameStream
  #state: 'waiting' | 'started' | 'closed' = 'waiting'
  /** By `ref` or `unref`; undefined: it keeps the process alive as needed. */
  #referenced: boolean | undefined
  #sending = false
  /** Closed, and all that was posted has gone: what ends the stream now concerns nobody. */
  #sent = false

  /**
   * Owns the stream from now on. It keeps the process alive while something that was posted has not gone, and once it is
   * started, as a MessagePort does. Not started, it is told of the peer's end, unless messages wait before that.
   */
  constructor(stream: FrameStream) {
    super()
    this.#stream = stream
    stream.closed.then(
      () => this.emitClose(),
      (error: Error) => this.emitClose(this.#sent ? undefined : error),
    )
    stream.on('end', () => this.close())
    this.#lookForTheEnd()
  }

  /**
   * Sends a structured clone. Descriptors in it are duplicated; those that are in `transfer` too are taken over, once
   * nothing is wrong. False: the peer does not keep up, wait for `drained`.
   *
   * Throws UsageError for what cannot be cloned, for a Descriptor where none can be carried (in an instance of a class, an
   * Error), and for anything else to transfer; what `FrameStream.send` throws.
   */
  postMessage(value: unknown, transfer: readonly unknown[] | { readonly transfer?: readonly unknown[] } = []): boolean {
    const transferred = transferredOf('transfer' in transfer ? (transfer.transfer ?? []) : (transfer as unknown[]))
    const { value: copy, descriptors } = parted(value, transferred, (index) => new DescriptorPlace(index))
    const below = this.#stream.send(serialized(copy), descriptors)
    for (const descriptor of transferred) descriptor.close()
    if (this.#state === 'waiting' && this.#stream.queuedBytes > 0) void this.#keepAliveUntilSent()
    return below
  }

  drained(): Promise<void> {
    return this.#stream.drained()
  }

  start(): void {
    if (this.#state !== 'waiting' || this.#stream.destroyed) return
    this.#state = 'started'
    this.#keepAlive(true)
    this.#stream.on('frame', (frame) => this.#take(frame))
  }

  /**
   * Both ends, behind what was posted. What the peer has sent and nobody has received is dropped, as is what it sends until
   * it has ended too; after two seconds it is waited for no more.
   */
  close(): void {
    const stream = this.#stream
    if (this.#state === 'closed' || stream.destroyed) return
    this.start() // or nothing would be received, and dropped
    this.#state = 'closed'
    stream.end().then(
      () => this.#linger(),
      (error: Error) => stream.destroy(error),
    )
  }

  ref(): void {
    this.#referenced = true
    this.#stream.ref()
  }

  unref(): void {
    this.#referenced = false
    this.#stream.unref()
  }

  /** The first frame is heard by nobody: it waits for the start, and those behind it in the kernel. */
  #lookForTheEnd(): void {
    const deaf = () => {}
    this.#stream.on('frame', deaf)
    this.#stream.off('frame', deaf)
    this.#keepAlive(false)
  }

  #keepAlive(needed: boolean): void {
    if (this.#referenced ?? needed) this.#stream.ref()
    else this.#stream.unref()
  }

  async #keepAliveUntilSent(): Promise<void> {
    if (this.#sending) return
    this.#sending = true
    this.#keepAlive(true)
    const stream = this.#stream
    while (!stream.destroyed && stream.queuedBytes > 0) await stream.flush().catch(() => {}) // the stream's end is told
    this.#sending = false
    if (this.#state === 'waiting') this.#keepAlive(false)
  }

  /** Closed at once, with something of the peer's unread, it would look like a crash to the peer (ECONNRESET). */
  #linger(): void {
    const stream = this.#stream
    this.#sent = true
    if (stream.destroyed) return
    stream.unref()
    const patience = setTimeout(() => stream.destroy(), lingerMilliseconds).unref()
    stream.once('close', () => clearTimeout(patience))
  }

  #take(frame: Frame): void {
    if (this.#state === 'closed') return frame[Symbol.dispose]()
    const used = new Set<Descriptor>()
    let value: unknown
    try {
      if (frame.lost > 0) throw new DescriptorLostError(`${frame.lost} descriptors of a message were lost on the way`)
      value = deserialized(frame.payload, frame.descriptors, (descriptor) => used.add(descriptor))
    } catch (error) {
      frame[Symbol.dispose]()
      return this.emitError(error as Error)
    }
    for (const descriptor of frame.descriptors) if (!used.has(descriptor)) descriptor.close()
    this.emitMessage(value, frame.descriptors)
  }
}

/** The Descriptors of a transfer list that has nothing else. */
function transferredOf(transfer: readonly unknown[]): ReadonlySet<Descriptor> {
  for (const item of transfer) {
    if (item instanceof Descriptor) continue
    throw new UsageError(
      'a Descriptor can be transferred to another process, and nothing else; an ArrayBuffer is copied',
    )
  }
  return new Set(transfer as readonly Descriptor[])
}
