/** pillion's RPC. */
import { connect, listen } from 'pillion'
import { RpcSession, RpcTarget } from 'pillion/rpc'
import { chainLength, makeCalls } from '../roles/calls.js'

class Counter extends RpcTarget {
  readonly #value: number

  constructor(value: number) {
    super()
    this.#value = value
  }

  next(): Counter {
    return new Counter(this.#value + 1)
  }

  value(): number {
    return this.#value
  }
}

class Bench extends RpcTarget {
  echo(text: string): string {
    return text
  }

  counter(): Counter {
    return new Counter(1)
  }
}

await makeCalls({
  listen: async ({ path }) => {
    const server = await listen(path)
    server.on('connection', (stream) => void new RpcSession(stream, new Bench()))
  },
  connect: async ({ path }) => {
    const bench = new RpcSession<Bench>(await connect(path)).getRemoteMain()
    return {
      echo: (text) => bench.echo(text),
      chain: async () => {
        const held = [bench.counter()]
        for (let i = 0; i < chainLength - 2; i++) held.push(held[i]!.next())
        const value = await held[chainLength - 2]!.value()
        for (const counter of held) counter[Symbol.dispose]()
        return value
      },
    }
  },
})
