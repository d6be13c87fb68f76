/** capnweb, with its own JSON, over a gathered socket. */
import type { Socket } from 'node:net'
import { RpcSession, RpcTarget } from 'capnweb'
import { connectByNet, listenByNet } from '../contenders/net-sockets.js'
import { chainLength, makeCalls } from '../roles/calls.js'
import { GatheredSocket } from './gathered-socket.js'

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

/** Messages that came before they were asked for, or who asks. */
class Transport {
  readonly #socket: GatheredSocket
  readonly #messages: string[] = []
  #taker: ((message: string) => void) | undefined

  constructor(socket: Socket) {
    this.#socket = new GatheredSocket(socket)
    this.#socket.receive((bytes) => {
      const message = bytes.toString()
      const taker = this.#taker
      this.#taker = undefined
      if (taker === undefined) this.#messages.push(message)
      else taker(message)
    })
  }

  send(message: string): void {
    this.#socket.send(Buffer.from(message))
  }

  receive(): Promise<string> {
    const message = this.#messages.shift()
    if (message !== undefined) return Promise.resolve(message)
    return new Promise((resolve) => {
      this.#taker = resolve
    })
  }
}

await makeCalls({
  listen: ({ path }) => listenByNet(path, (socket) => void new RpcSession(new Transport(socket), new Bench())),
  connect: async ({ path }) => {
    const bench = new RpcSession<Bench>(new Transport(await connectByNet(path))).getRemoteMain()
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
