/**
 * FrameTurns: frames of a wake-up that wait, so that what is answered by promises goes out before the rest is handed over.
 *
 * Owns their descriptors until then. Knows no stream.
 */
import type { FrameBatch } from '../../stream/index.js'
import { adoptOwned, surrender } from '../../transport/descriptor.js'
import type { Descriptor } from '../../transport/index.js'
import { sendGathered } from '../../transport/turn.js'
import { afterPromises } from '../after-promises.js'

type Batch = Pick<FrameBatch, 'length' | 'bytes' | 'stays' | 'start' | 'end' | 'descriptors' | 'lost'>

export interface WaitingFrame {
  readonly payload: Uint8Array
  readonly descriptors: readonly Descriptor[]
  readonly lost: number
}

export class FrameTurns {
  readonly #each: number
  readonly #handOver: (frames: readonly WaitingFrame[]) => void
  #frames: WaitingFrame[] = []
  #onDone: (() => void) | undefined

  /** @param each frames of one turn */
  constructor(each: number, handOver: (frames: readonly WaitingFrame[]) => void) {
    this.#each = each
    this.#handOver = handOver
  }

  get empty(): boolean {
    return this.#frames.length === 0
  }

  /** Takes the frames from this one on over, whose memory may be written again afterwards. */
  add(batch: Batch, first: number): void {
    const from = batch.start(first)
    const lent = batch.bytes.subarray(from, batch.end(batch.length - 1))
    const bytes = batch.stays ? lent : new Uint8Array(lent)
    if (this.empty) afterPromises(() => this.#goOn())
    for (let i = first; i < batch.length; i++) {
      const borne = batch.descriptors(i)
      this.#frames.push({
        payload: bytes.subarray(batch.start(i) - from, batch.end(i) - from),
        descriptors: borne.length === 0 ? borne : borne.map((descriptor) => adoptOwned(surrender(descriptor))),
        lost: batch.lost(i),
      })
    }
  }

  /** Calls back behind the last frame. */
  whenDone(callback: () => void): void {
    if (this.empty) callback()
    else this.#onDone ??= callback
  }

  /** Drops what waits. */
  clear(): void {
    for (const { descriptors } of this.#frames) for (const descriptor of descriptors) descriptor.close()
    this.#frames = []
    this.#tellDone()
  }

  #goOn(): void {
    if (this.empty) return
    sendGathered()
    const frames = this.#frames.splice(0, this.#each)
    if (!this.empty) afterPromises(() => this.#goOn())
    this.#handOver(frames)
    if (this.empty) this.#tellDone()
  }

  #tellDone(): void {
    const done = this.#onDone
    this.#onDone = undefined
    done?.()
  }
}
