/**
 * Forgets a stub, the unawaited promise of a result with one in it, and a stream that nobody reads; answers with what the
 * garbage collector has made of them, and the warnings that came.
 */
import { MemoryTransport, RpcSession, RpcTarget } from '../../../src/rpc/index.js'

const disposed = { stub: 0, results: 0, stream: 0 }

class Thing extends RpcTarget {
  readonly #kind: 'stub' | 'results'

  constructor(kind: 'stub' | 'results') {
    super()
    this.#kind = kind
  }

  [Symbol.dispose](): void {
    disposed[this.#kind]++
  }
}

class Main extends RpcTarget {
  make(kind: 'stub' | 'results'): { thing: Thing } {
    return { thing: new Thing(kind) }
  }

  stream(): ReadableStream<number> {
    return new ReadableStream({ cancel: () => void disposed.stream++ }, { highWaterMark: 0 })
  }
}

const warnings: unknown[] = []
process.on('warning', (warning) => warnings.push((warning as { code?: unknown }).code))

const [left, right] = MemoryTransport.pair()
const client = new RpcSession<Main>(left)
const server = new RpcSession(right, new Main())
const api = client.getRemoteMain()

await forget()
while (Object.values(disposed).includes(0)) {
  globalThis.gc?.()
  await new Promise(setImmediate)
}
console.log(JSON.stringify({ disposed, warnings }))
api[Symbol.dispose]()
await client.close()
await server.close()

async function forget(): Promise<void> {
  await api.make('stub')
  api.make('results')
  await api.stream()
}
