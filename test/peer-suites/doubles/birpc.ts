/** node:worker_threads, as birpc's tests use it: a MessageChannel whose ports are the ends of a stream. */
import { pair } from 'pillion'
import { type BirpcChannel, birpcChannel } from 'pillion/adapters/birpc'
import { markOverPillion } from '../over-pillion.js'

export class MessageChannel {
  readonly port1: Port
  readonly port2: Port

  constructor() {
    markOverPillion()
    const [near, far] = pair()
    this.port1 = new Port(birpcChannel(near))
    this.port2 = new Port(birpcChannel(far))
  }
}

class Port {
  readonly #channel: BirpcChannel

  constructor(channel: BirpcChannel) {
    this.#channel = channel
  }

  postMessage(message: unknown): unknown {
    return this.#channel.post(message)
  }

  on(_event: 'message', listener: (message: unknown) => void): unknown {
    return this.#channel.on(listener)
  }

  off(_event: 'message', listener: (message: unknown) => void): unknown {
    return this.#channel.off?.(listener)
  }
}
