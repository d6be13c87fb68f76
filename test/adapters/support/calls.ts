/** The RPC library of docs/embedding.md on src, which can be broken. */
import { type packValue, sendValue, unpackValue } from '../../../src/rpc/index.js'
import type { Descriptor, FrameStream } from '../../../src/stream/index.js'

type Methods = Readonly<Record<string, (...args: never[]) => unknown>>
type Request = { readonly id: number; readonly method: string; readonly args: readonly never[] }
type Answer = { readonly id: number; readonly result?: unknown; readonly error?: Error }

interface Ways {
  /** Is given what nobody took. */
  readonly unused?: (descriptors: readonly Descriptor[]) => void
  /** Whatever else is in an answer, its result is the call's. Is given the descriptors in it. */
  readonly believes?: (descriptors: readonly Descriptor[]) => void
}

export class Calls {
  readonly #stream: FrameStream
  readonly #methods: Methods
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  readonly #unused: (descriptors: readonly Descriptor[]) => void
  readonly #believes: ((descriptors: readonly Descriptor[]) => void) | undefined
  #calls = 0

  /** Owns the stream from now on. */
  constructor(stream: FrameStream, methods: Methods, { unused = closeAll, believes }: Ways = {}) {
    this.#unused = unused
    this.#believes = believes
    this.#stream = stream
    this.#methods = methods
    void this.#receive()
  }

  /** Descriptors in the arguments stay the caller's; those in the result become the caller's. */
  async call(method: string, ...args: readonly unknown[]): Promise<unknown> {
    const id = this.#calls++
    sendValue(this.#stream, { id, method, args })
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }))
  }

  close(): Promise<void> {
    return this.#stream[Symbol.asyncDispose]()
  }

  async #receive(): Promise<void> {
    let reason = new Error('the connection has ended')
    try {
      for await (const frame of this.#stream) {
        const { value, descriptors } = unpackValue(frame)
        const message = value as Request | Answer
        if ('method' in message) this.#serve(message, descriptors).catch((error: Error) => this.#stream.destroy(error))
        else if (!this.#settle(message)) closeAll(descriptors)
        else this.#believes?.(descriptors)
      }
    } catch (error) {
      reason = error as Error
    }
    this.#stream.destroy()
    for (const { reject } of this.#pending.values()) reject(reason)
    this.#pending.clear()
  }

  /** Descriptors of the arguments end with the call, unless the method took them; those of the result move. */
  async #serve({ id, method, args }: Request, descriptors: readonly Descriptor[]): Promise<void> {
    try {
      if (!Object.hasOwn(this.#methods, method)) throw new Error(`there is no method ${method}`)
      const result = await this.#methods[method]!(...args)
      sendValue(this.#stream, { id, result }, { transfer: true })
    } catch (error) {
      sendValue(this.#stream, { id, error })
    } finally {
      this.#unused(descriptors)
    }
  }

  /** False: there was no such call, or it failed. */
  #settle(answer: Answer): boolean {
    const { id, ...outcome } = answer
    const call = this.#pending.get(id)
    this.#pending.delete(id)
    const succeeded = this.#believes !== undefined || Object.keys(outcome).join() === 'result' // a descriptor elsewhere in it would be nobody's
    if (succeeded) call?.resolve(outcome.result)
    else call?.reject(outcome.error ?? new Error('what came is no answer'))
    return call !== undefined && succeeded
  }
}

export function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor.close()
}

/** Of a hostile peer of it, by the values of the same build of pillion. */
export function hostileAnswers(pack: typeof packValue, unpack: typeof unpackValue) {
  return [
    (id: unknown, file: Descriptor) => ({ id, result: file }),
    (id: unknown, file: Descriptor) => ({ id, result: 1, junk: file }),
    (id: unknown, file: Descriptor) => ({ id, junk: file }),
    (id: unknown, file: Descriptor) => ({ id, result: file, error: new Error('both') }),
    (_id: unknown, file: Descriptor) => ({ id: 'nobody', result: file }),
  ].map((answer) => (call: Uint8Array, file: Descriptor) => {
    const { id } = unpack({ payload: call, descriptors: [], lost: 0 }).value as { id: unknown }
    return pack(answer(id, file))
  })
}
