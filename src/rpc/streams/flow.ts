/**
 * Flow: values one after the other from a source to a sink on the other side, no more under way than a window allows.
 *
 * The source calls the sink's `write` for each; a write returns when its value has been taken out, which is what opens the
 * window again. So a slow reader stops the source, and neither side holds more than the window.
 */
import { RpcTarget } from '../rpc-target.js'

/** Bytes that may be under way. */
export const windowBytes = 1024 * 1024
/** What a value counts that is neither bytes nor text: its size is not known before it is encoded. */
const objectWeight = 4096

export function weightOf(value: unknown): number {
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return value.byteLength + 64
  return typeof value === 'string' ? value.length + 64 : objectWeight
}

/** As the source sees the sink: a stub of an Inlet. */
export interface Sink {
  write(value: unknown): PromiseLike<unknown>
}

/** Keeps what is under way within the window. */
export class Window {
  #underWay = 0
  #failure: { readonly error: unknown } | undefined
  #wake: (() => void) | undefined

  /** The value is under way from now on, until `done` settles. */
  add(weight: number, done: PromiseLike<unknown>): void {
    this.#underWay += weight
    done.then(
      () => this.#settled(weight),
      (error: unknown) => {
        this.#failure ??= { error }
        this.#settled(weight)
      },
    )
  }

  /** Resolves when there is room; rejects with why a value did not arrive. */
  async room(): Promise<void> {
    await this.#until(() => this.#underWay < windowBytes)
  }

  /** Resolves when nothing is under way any more. */
  async empty(): Promise<void> {
    await this.#until(() => this.#underWay === 0)
  }

  async #until(reached: () => boolean): Promise<void> {
    while (this.#failure === undefined && !reached()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #settled(weight: number): void {
    this.#underWay -= weight
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}

/** Sends all that `next` gives to the sink. Rejects with what ended either of them. */
export async function pump(next: () => Promise<IteratorResult<unknown>>, sink: Sink): Promise<void> {
  const window = new Window()
  for (;;) {
    await window.room()
    const { value, done } = await next()
    if (done === true) break
    window.add(weightOf(value), sink.write(value))
  }
  await window.empty()
}

interface Taker {
  resolve(result: IteratorResult<unknown, undefined>): void
  reject(error: unknown): void
}

const finished: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/** The sink: what was written waits until it is taken. */
export class Inlet extends RpcTarget {
  readonly #waiting: { readonly value: unknown; taken(): void }[] = []
  readonly #takers: Taker[] = []
  #end: { readonly error: unknown } | 'properly' | undefined

  /** Called by the source. */
  write(value: unknown): Promise<void> | undefined {
    if (this.#end !== undefined) throw new Error('the reader has stopped')
    const taker = this.#takers.shift()
    if (taker !== undefined) {
      taker.resolve({ done: false, value })
      return undefined
    }
    return new Promise((taken) => this.#waiting.push({ value, taken }))
  }

  /** Not for the source: own properties are out of its reach. */
  readonly take = (): Promise<IteratorResult<unknown, undefined>> => {
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) {
      waiting.taken()
      return Promise.resolve({ done: false, value: waiting.value })
    }
    if (this.#end === undefined) return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }))
    return this.#end === 'properly' ? Promise.resolve(finished) : Promise.reject(this.#end.error)
  }

  /** Nothing more comes; what was written can still be taken. */
  readonly finish = (end: { readonly error: unknown } | 'properly'): void => {
    this.#end ??= end
    for (const taker of this.#takers.splice(0)) {
      if (end === 'properly') taker.resolve(finished)
      else taker.reject(end.error)
    }
  }

  /** Nobody takes any more: who writes is told. */
  readonly stop = (): void => {
    this.#end ??= 'properly'
    for (const { taken } of this.#waiting.splice(0)) taken()
    for (const taker of this.#takers.splice(0)) taker.resolve(finished)
  }
}
