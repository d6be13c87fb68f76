/**
 * Source: the end of a stream that has the chunks. Its reader is on the other side and calls these methods: `pipe` for
 * the chunks, `grant` for what it has taken of them, `cancel` if it wants no more.
 *
 * A chunk moves: the stubs and descriptors in it are the reader's from then on.
 */
import { setImmediate } from '../../event-loop.js'
import type { Payload } from '../machine/payload.js'
import type { Vat } from '../machine/vat.js'
import { RpcError } from '../rpc-error.js'
import { RpcTarget } from '../rpc-target.js'
import { type Handle, handleOf } from '../stubs/handle.js'
import { encodeValue } from '../values/encode.js'
import { encodeSoleBinary } from '../values/sole-binary.js'
import { SendWindow, weightOf } from './window.js'

/** Bytes from which on a chunk is sent from where it lies. */
const largeBytes = 16 * 1024

/** Bytes after which the loop's other work has its turn: the reader names the window, and may be gone when it does. */
const turnBytes = 4 * 1024 * 1024

/** Where the chunks come from. */
export interface Feed {
  /** It is given away from now on, and nobody else's to read. Throws for one that cannot be read. */
  begin(): void
  next(): PromiseLike<IteratorResult<unknown>>
  /**
   * A chunk's memory stays as it is until the next one is asked for: a large one need not be copied. Default: it may be
   * anything as soon as this vat's other code runs.
   */
  readonly lends?: true
  /** No more is wanted. Called once, if `next` has not come to its end. */
  stop(reason: unknown): Promise<unknown>
}

export class Source extends RpcTarget {
  readonly #vat: Vat
  readonly #feed: Feed
  #begun = false
  #over = false
  #pump: Pump | undefined

  constructor(feed: Feed, vat: Vat) {
    super()
    this.#feed = feed
    this.#vat = vat
  }

  /** Not for the reader, as an own property: the message that bears it is complete. */
  readonly begin = (): void => {
    this.#feed.begin()
    this.#begun = true
  }

  /** Writes all chunks to the sink; returns when that has them. */
  async pipe(sink: unknown, window: unknown): Promise<void> {
    const handle = handleOf(sink)
    if (handle === undefined) throw new RpcError('failed', 'a stream is piped into a stub', { origin: 'remote' })
    if (this.#pump !== undefined || this.#over) throw new RpcError('failed', 'the stream is read already, or over')
    const pump = new Pump(handle.property('write'), new SendWindow(window), this.#vat)
    this.#pump = pump
    try {
      await pump.run(this.#feed)
      this.#over = true
    } catch (error) {
      this.#stop(error).catch(() => {}) // what goes wrong now is behind the error that ended it
      throw error
    }
  }

  grant(weight: unknown): void {
    this.#pump?.window.granted(weight)
  }

  async cancel(reason: unknown): Promise<void> {
    this.#pump?.stop()
    await this.#stop(reason)
  }

  [Symbol.dispose](): void {
    if (!this.#begun) return
    this.#pump?.stop()
    this.#stop(new RpcError('disconnected', 'the reader has gone')).catch(() => {}) // nobody is left to be told
  }

  async #stop(reason: unknown): Promise<void> {
    if (this.#over) return
    this.#over = true
    await this.#feed.stop(reason)
  }
}

/** Copying would cost more than a piece more to send. */
function isLarge(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length >= largeBytes
}

class Pump {
  readonly window: SendWindow
  readonly #write: Handle
  readonly #vat: Vat
  #stopped = false
  /** Bytes sent since the loop had its turn, as far as is known. */
  #sent = 0
  #fail: (error: Error) => void = () => {}

  constructor(write: Handle, window: SendWindow, vat: Vat) {
    this.#write = write
    this.window = window
    this.#vat = vat
  }

  /** Rejects with what ends either end, even while a next chunk is waited for. */
  run(feed: Feed): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fail = (error) => {
        this.stop()
        reject(error)
      }
      this.#write.onBroken(this.#fail)
      this.#run(feed).then(resolve, reject)
    })
  }

  /** Nothing more is sent. */
  stop(): void {
    this.#stopped = true
    this.window.wake()
  }

  async #run(feed: Feed): Promise<void> {
    for (;;) {
      while (!this.window.open && !this.#stopped) await this.window.changed()
      if (this.#sent >= turnBytes) await this.#turn()
      if (this.#stopped) return
      const { value, done } = await feed.next()
      if (done === true) break
      if (feed.lends === true && isLarge(value)) {
        await this.#sendLent(value)
      } else {
        const { outgoing, limits } = this.#vat.values
        this.#send(encodeValue([value], 'chunk', 'moved', outgoing, limits))
      }
    }
  }

  #turn(): Promise<void> {
    this.#sent = 0
    return new Promise((resolve) => setImmediate(resolve))
  }

  /** Resolves when the memory is no longer needed: so the kernel has it, and no chunk waits here behind another. */
  #sendLent(value: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#send(encodeSoleBinary(value, resolve)))
  }

  #send(payload: Payload): void {
    if (this.#stopped) {
      payload.release()
      return
    }
    const weight = weightOf(payload)
    this.#sent += weight
    this.window.sent(weight)
    // What goes wrong with it there, the reader tells by `cancel`; and it has it before it learns that `pipe` has returned.
    const answer = this.#write.request('call', payload, true)
    answer.subscribe((outcome) => {
      answer.release()
      if (outcome instanceof Error) this.#fail(outcome)
    })
  }
}
