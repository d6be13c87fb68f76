/**
 * Inbox: frames that were received and that nobody has consumed yet, and those who wait for one.
 *
 * Owns the frames in it. Frames come out in order; behind the last one comes the end, or what broke the stream.
 */
import type { Frame, ReceivedFrame } from './frame.js'
import { descriptorWeight } from './options.js'

interface Taker {
  resolve(result: IteratorResult<Frame, undefined>): void
  reject(error: Error): void
}

const finished: IteratorReturnResult<undefined> = { value: undefined, done: true }

export class Inbox {
  #frames: ReceivedFrame[] = []
  #head = 0
  #bytes = 0
  readonly #takers: Taker[] = []
  #end: { readonly error: Error | undefined } | undefined
  #told = false

  /** Whoever takes frames has been told that there are no more. */
  get told(): boolean {
    return this.#told
  }

  get empty(): boolean {
    return this.#head === this.#frames.length
  }

  /** Bytes of payload that wait, and something for each frame and each descriptor: they cost memory and places too. */
  get bytes(): number {
    return this.#bytes
  }

  /** Somebody waits for the next frame. */
  get awaited(): boolean {
    return this.#takers.length > 0
  }

  push(frame: ReceivedFrame): void {
    const taker = this.#takers.shift()
    if (taker !== undefined) {
      taker.resolve({ value: frame, done: false })
      return
    }
    this.#bytes += weight(frame)
    this.#frames.push(frame)
  }

  /** Puts the frame that `shift` gave out back. */
  unshift(frame: ReceivedFrame): void {
    this.#bytes += weight(frame)
    this.#frames.splice(this.#head, 0, frame)
  }

  shift(): ReceivedFrame | undefined {
    const frame = this.#frames[this.#head]
    if (frame === undefined) return undefined
    this.#head++
    this.#bytes -= weight(frame)
    if (this.#head === this.#frames.length) {
      this.#frames = []
      this.#head = 0
    } else if (this.#head > 4096 && this.#head * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#head)
      this.#head = 0
    }
    return frame
  }

  /** None is here: the next frame, once it comes; or the end, for ever; the error, once. */
  wait(): Promise<IteratorResult<Frame, undefined>> {
    if (this.#end !== undefined) {
      this.#told = true
      const { error } = this.#end
      this.#end = { error: undefined }
      return error === undefined ? Promise.resolve(finished) : Promise.reject(error)
    }
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }))
  }

  /** Nothing comes behind what is here. Of those who wait, the first is told of the error. */
  finish(error: Error | undefined): void {
    if (this.#end !== undefined) return
    const [first, ...others] = this.#takers.splice(0)
    if (first !== undefined) this.#told = true
    if (error === undefined) first?.resolve(finished)
    else first?.reject(error)
    for (const taker of others) taker.resolve(finished)
    this.#end = { error: first === undefined ? error : undefined }
  }

  /** Closes what nobody took. */
  clear(): void {
    for (let frame = this.shift(); frame !== undefined; frame = this.shift()) frame[Symbol.dispose]()
  }
}

/** What a waiting frame costs, for the mark: a place in the descriptor table is worth more than a byte. */
function weight(frame: ReceivedFrame): number {
  return frame.size + 64 + frame.places * descriptorWeight
}
