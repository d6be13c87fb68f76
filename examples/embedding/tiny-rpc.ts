/** An RPC library on pillion, for docs/embedding.md. test/docs/embedding.test.ts runs it, and the kit for adapters on it. */
import type { Descriptor, FrameStream } from 'pillion'
import { sendValue, unpackValue } from 'pillion/rpc'

type Methods = Readonly<Record<string, (...args: never[]) => unknown>>
type Request = { readonly id: number; readonly method: string; readonly args: readonly never[] }
type Answer = { readonly id: number; readonly result?: unknown; readonly error?: Error }

export class TinyRpc {
  readonly #stream: FrameStream
  readonly #methods: Methods
  readonly #pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #calls = 0

  /** Owns the stream from now on. */
  constructor(stream: FrameStream, methods: Methods) {
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
      closeAll(descriptors)
    }
  }

  /** False: there was no such call, or it failed. */
  #settle(answer: Answer): boolean {
    const { id, ...outcome } = answer
    const call = this.#pending.get(id)
    this.#pending.delete(id)
    const succeeded = Object.keys(outcome).join() === 'result' // a descriptor elsewhere in it would be nobody's
    if (succeeded) call?.resolve(outcome.result)
    else call?.reject(outcome.error ?? new Error('what came is no answer'))
    return call !== undefined && succeeded
  }
}

function closeAll(descriptors: readonly Descriptor[]): void {
  for (const descriptor of descriptors) descriptor.close()
}
