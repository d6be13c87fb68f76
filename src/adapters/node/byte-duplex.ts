/**
 * ByteDuplex: payloads as the bytes of a Duplex, with as much of net.Socket as http and its like ask for.
 */
import { Duplex } from 'node:stream'
import { clearTimeout, setTimeout } from '../../event-loop.js'
import type { Frame, FrameStream } from '../../stream/index.js'
import { lostOnTheWay } from '../link/unwanted.js'
import { type Done, whenReleased } from './write-done.js'

export class ByteDuplex extends Duplex {
  readonly #stream: FrameStream
  readonly #frames: AsyncIterator<Frame, undefined>
  #idle: NodeJS.Timeout | undefined
  #idleAfter = 0

  constructor(stream: FrameStream, allowHalfOpen: boolean) {
    super({ allowHalfOpen, emitClose: true })
    this.#stream = stream
    this.#frames = stream[Symbol.asyncIterator]()
  }

  override _read(): void {
    this.#frames.next().then(
      ({ value: frame }) => {
        this.#active()
        if (frame === undefined) this.push(null)
        else this.#take(frame)
      },
      (error: Error) => this.destroy(error),
    )
  }

  override _write(chunk: Buffer, _encoding: string, done: Done): void {
    this._writev([{ chunk }], done)
  }

  /** One after the other, each in pieces that fit into a frame. */
  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: Done): void {
    this.#active()
    const { maxPayload } = this.#stream.limits
    try {
      for (const { chunk } of chunks) {
        for (let at = 0; at < chunk.length; at += maxPayload) {
          this.#stream.send(chunk.subarray(at, at + maxPayload))
        }
      }
    } catch (error) {
      done(error as Error)
      return
    }
    whenReleased(this.#stream, done)
  }

  override _final(done: Done): void {
    this.#stream.end().then(() => done(), done)
  }

  override _destroy(error: Error | null, done: Done): void {
    clearTimeout(this.#idle)
    this.#stream.destroy(error ?? undefined)
    done(error)
  }

  /** As net.Socket: `timeout` is emitted after so many milliseconds without bytes, 0 for never. It ends nothing. */
  setTimeout(milliseconds: number, listener?: () => void): this {
    this.#idleAfter = milliseconds
    if (listener !== undefined && milliseconds > 0) this.once('timeout', listener)
    if (listener !== undefined && milliseconds === 0) this.off('timeout', listener)
    this.#active()
    return this
  }

  /** A Unix socket delays nothing. */
  setNoDelay(): this {
    return this
  }

  /** A Unix socket's peer is there, or the socket tells. */
  setKeepAlive(): this {
    return this
  }

  ref(): this {
    this.#stream.ref()
    return this
  }

  unref(): this {
    this.#stream.unref()
    return this
  }

  #take(frame: Frame): void {
    const { payload, descriptors, lost } = frame
    if (lost > 0) {
      frame[Symbol.dispose]()
      this.destroy(lostOnTheWay()) // also where nobody listens: the bytes may have been in a memfd that was lost
      return
    }
    const listened = descriptors.length > 0 && !this.destroyed && this.emit('descriptors', descriptors)
    if (!listened) frame[Symbol.dispose]()
    if (payload.length > 0) this.push(payload)
    else if (!this.destroyed) this._read() // an empty chunk would be no reason to read on
  }

  #active(): void {
    clearTimeout(this.#idle)
    if (this.#idleAfter <= 0 || this.destroyed) return
    this.#idle = setTimeout(() => void this.emit('timeout'), this.#idleAfter).unref()
  }
}
