/**
 * WritableStreams as values: what is written travels, no more under way than a window allows.
 */
import { RpcTarget } from '../rpc-target.js'
import { Window, weightOf } from './flow.js'

/** The end that has the stream, which it locks from now on. */
export class WritableTarget extends RpcTarget {
  readonly #writer: WritableStreamDefaultWriter<unknown>
  #over = false

  /** Throws TypeError for a stream that is being written already. */
  constructor(stream: WritableStream<unknown>) {
    super()
    this.#writer = stream.getWriter()
  }

  async write(chunk: unknown): Promise<void> {
    await this.#writer.write(chunk)
  }

  async close(): Promise<void> {
    this.#over = true
    await this.#writer.close()
  }

  async abort(reason?: unknown): Promise<void> {
    if (this.#over) return
    this.#over = true
    await this.#writer.abort(reason)
  }

  [Symbol.dispose](): void {
    this.abort(new Error('the writer has gone')).catch(() => {}) // nobody is left to be told
  }
}

interface TargetStub extends Disposable {
  write(chunk: unknown): PromiseLike<unknown>
  close(): PromiseLike<unknown>
  abort(reason?: unknown): PromiseLike<unknown>
}

/** The other end. Takes over the stub of the target. */
export function writableOf(stub: object): WritableStream {
  const target = stub as TargetStub
  const window = new Window()
  return new WritableStream<unknown>({
    async write(chunk) {
      await window.room()
      window.add(weightOf(chunk), target.write(chunk))
    },
    async close() {
      try {
        await window.empty()
        await target.close()
      } finally {
        target[Symbol.dispose]()
      }
    },
    async abort(reason) {
      try {
        await target.abort(reason)
      } finally {
        target[Symbol.dispose]()
      }
    },
  })
}
