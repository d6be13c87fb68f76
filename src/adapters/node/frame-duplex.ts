/**
 * FrameDuplex: frames as the objects of a Duplex. Whoever destroys it leaves nothing open: not the frames that wait to be
 * read, and not the descriptors that wait to be sent.
 */
import { Duplex } from 'node:stream'
import { UsageError } from '../../errors.js'
import { Descriptor, type Frame, type FrameStream, type OutgoingFrame } from '../../stream/index.js'
import { recallDescriptor } from '../../transport/index.js'
import { closeAll } from '../link/unwanted.js'
import { type Done, whenReleased } from './write-done.js'

/** What waits to be sent, with descriptors of its own. */
interface Owned {
  readonly payload: Uint8Array | readonly Uint8Array[]
  readonly descriptors: readonly Descriptor[]
  /** It is no frame, or a descriptor of it was closed: in its turn the writer is told, as of any failed write. */
  readonly refused?: Error
}

export class FrameDuplex extends Duplex {
  readonly #stream: FrameStream
  readonly #frames: AsyncIterator<Frame, undefined>
  /** Those that were pushed last: as many as wait to be read are among them. */
  #pushed: Frame[] = []
  readonly #unsent = new Set<Owned>()

  constructor(stream: FrameStream, allowHalfOpen: boolean) {
    super({ objectMode: true, highWaterMark: 1, allowHalfOpen, emitClose: true })
    this.#stream = stream
    this.#frames = stream[Symbol.asyncIterator]()
  }

  override _read(): void {
    this.#frames.next().then(
      ({ value: frame }) => {
        if (frame === undefined) this.push(null)
        else if (this.destroyed) frame[Symbol.dispose]()
        else this.#push(frame)
      },
      (error: Error) => this.destroy(error),
    )
  }

  override write(frame: unknown, ...rest: unknown[]): boolean {
    const owned = ownedOrRefused(frame)
    if (this.destroyed || this.writableEnded) this.#drop(owned)
    else this.#unsent.add(owned)
    return super.write(owned, ...(rest as []))
  }

  override end(...given: unknown[]): this {
    const [frame] = given
    if (frame !== undefined && frame !== null && typeof frame !== 'function') this.write(frame)
    return super.end(given.find((argument) => typeof argument === 'function') as () => void)
  }

  override _write(owned: Owned, _encoding: string, done: Done): void {
    this.#unsent.delete(owned)
    if (owned.refused !== undefined) {
      done(owned.refused)
      return
    }
    try {
      this.#stream.send(owned.payload, owned.descriptors, { transfer: true })
    } catch (error) {
      this.#drop(owned)
      done(error as Error)
      return
    }
    whenReleased(this.#stream, done)
  }

  override _final(done: Done): void {
    this.#stream.end().then(() => done(), done)
  }

  override _destroy(error: Error | null, done: Done): void {
    for (const frame of this.#pushed.slice(this.#pushed.length - this.readableLength)) frame[Symbol.dispose]()
    for (const owned of this.#unsent) this.#drop(owned)
    this.#stream.destroy(error ?? undefined)
    done(error)
  }

  #push(frame: Frame): void {
    this.#pushed.push(frame)
    this.push(frame)
    this.#pushed = this.#pushed.slice(this.#pushed.length - this.readableLength)
  }

  #drop(owned: Owned): void {
    this.#unsent.delete(owned)
    closeAll(owned.descriptors)
  }
}

function ownedOrRefused(frame: unknown): Owned {
  try {
    return ownedFrame(frame)
  } catch (error) {
    return { payload: [], descriptors: [], refused: error as Error }
  }
}

/** A frame that owns what it carries. When it throws, what was to be transferred is still the caller's. */
function ownedFrame(frame: unknown): Owned {
  if (frame instanceof Uint8Array) return { payload: frame, descriptors: [] }
  if (typeof frame !== 'object' || frame === null || !('payload' in frame)) {
    throw new UsageError('what is written is a Uint8Array or { payload, descriptors, transfer }')
  }
  const { payload, descriptors = [], transfer = false } = frame as OutgoingFrame
  return { payload, descriptors: transfer ? takenOver([...descriptors]) : duplicated(descriptors) }
}

function duplicated(descriptors: Iterable<Descriptor | number>): Descriptor[] {
  const duplicates: Descriptor[] = []
  try {
    for (const descriptor of descriptors) duplicates.push(Descriptor.dup(descriptor))
  } catch (error) {
    closeAll(duplicates)
    throw error
  }
  return duplicates
}

/** All or none. Only what has been checked is taken. */
function takenOver(descriptors: readonly (Descriptor | number)[]): Descriptor[] {
  const numbers = descriptors.map((descriptor) => (typeof descriptor === 'number' ? descriptor : descriptor.fd))
  if (new Set(numbers).size < numbers.length) throw new UsageError('a descriptor cannot be transferred twice')
  const owned: Descriptor[] = []
  try {
    for (const descriptor of descriptors) {
      if (typeof descriptor === 'number') owned.push(Descriptor.own(descriptor))
      else recallDescriptor(descriptor)
    }
  } catch (error) {
    for (const descriptor of owned) descriptor.take() // the caller's again
    throw error
  }
  return descriptors.map((given) => (typeof given === 'number' ? owned.shift()! : Descriptor.own(given.take())))
}
