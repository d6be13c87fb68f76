/**
 * Ping-pong: a frame each way, one at a time. Both ends know which payload comes next and look at it.
 */
import { Laps } from './laps.js'
import type { Carrier, Link, OnFrame } from './link.js'
import { BenchFailure, type Commands } from './obey.js'
import { Payloads } from './payloads.js'
import type { Metrics, Setting } from './setting.js'

export function answerPings(setting: Setting, link: Link): OnFrame {
  const pool = Payloads.of(setting.payload)
  let next = 0
  return (bytes, start, end, descriptors) => {
    if (!pool.is(next, bytes, start, end)) throw new BenchFailure('a frame came changed')
    if (descriptors !== setting.descriptors) throw new BenchFailure('descriptors were lost')
    link.send(pool.payloads[next] as Buffer, setting.descriptors)
    next = next + 1 === pool.count ? 0 : next + 1
  }
}

export class Pinger {
  readonly #setting: Setting
  readonly #pool: Payloads
  readonly #laps = new Laps()
  #link: Link | undefined
  #next = 0
  #until = 0
  #last = 0
  #settle: ((failure?: string) => void) | undefined

  constructor(setting: Setting) {
    this.#setting = setting
    this.#pool = Payloads.of(setting.payload)
  }

  async connect(carrier: Carrier): Promise<void> {
    this.#link = await carrier.connect(this.#setting, (bytes, start, end, descriptors) =>
      this.#onFrame(bytes, start, end, descriptors),
    )
  }

  run(milliseconds: number): Promise<Metrics> {
    return new Promise((resolve, reject) => {
      this.#settle = (failure) => {
        const metrics = this.#laps.take()
        if (failure === undefined) resolve(metrics)
        else reject(new BenchFailure(failure))
      }
      this.#last = performance.now()
      this.#until = this.#last + milliseconds
      this.#send()
    })
  }

  #send(): void {
    this.#link?.send(this.#pool.payloads[this.#next] as Buffer, this.#setting.descriptors)
  }

  #onFrame(bytes: Uint8Array, start: number, end: number, descriptors: number): void {
    const now = performance.now()
    this.#laps.add(now - this.#last)
    this.#last = now
    if (!this.#pool.is(this.#next, bytes, start, end)) {
      this.#settle?.('a frame came back changed')
    } else if (descriptors !== this.#setting.descriptors) {
      this.#settle?.('descriptors were lost')
    } else {
      this.#next = this.#next + 1 === this.#pool.count ? 0 : this.#next + 1
      if (now < this.#until && !this.#laps.full) this.#send()
      else this.#settle?.()
    }
  }
}

export async function pingClient(carrier: Carrier, setting: Setting): Promise<Commands> {
  const pinger = new Pinger(setting)
  await pinger.connect(carrier)
  return { run: (milliseconds) => pinger.run(milliseconds) }
}
