/**
 * Many connections between the same two processes: `fan`, where all are live, and `idle`, where all but one are.
 *
 * In `fan` a frame goes out on each, and all have come back before the next turn.
 */
import type { Carrier, Link } from './link.js'
import { BenchFailure, type Commands } from './obey.js'
import { Payloads } from './payloads.js'
import { Pinger } from './ping.js'
import type { Metrics, Setting } from './setting.js'

/** How many are opened at once: less than a listener's backlog. */
const together = 50

export async function fanClient(carrier: Carrier, setting: Setting): Promise<Commands> {
  const pool = Payloads.of(setting.payload)
  const { payloads } = pool
  let next = 0
  let turn = 0
  let due = 0
  let allCame: (() => void) | undefined
  const links = await openMany(setting.connections, () => {
    let answered = 0
    return carrier.connect(setting, (bytes, start, end) => {
      if (answered === turn) throw new BenchFailure('a frame came twice')
      if (!pool.is(next, bytes, start, end)) throw new BenchFailure('a frame came back changed')
      answered = turn
      if (--due === 0) allCame?.()
    })
  })

  async function run(milliseconds: number): Promise<Metrics> {
    const began = performance.now()
    let frames = 0
    do {
      const came = new Promise<void>((resolve) => {
        allCame = resolve
      })
      due = links.length
      turn++
      for (const link of links) link.send(payloads[next] as Buffer, 0)
      await came
      frames += links.length
      next = (next + 1) % payloads.length
    } while (performance.now() - began < milliseconds)
    return { operations: frames, perFrame: ((performance.now() - began) * 1e6) / frames }
  }
  return { run }
}

/** Pings beside connections that do nothing. `open` opens so many more; `run` pings. */
export async function idleClient(carrier: Carrier, setting: Setting): Promise<Commands> {
  const pinger = new Pinger(setting)
  await pinger.connect(carrier)
  const idle: Link[] = []
  return {
    run: (milliseconds) => pinger.run(milliseconds),
    open: async (count) => {
      const onFrame = (): void => {
        throw new BenchFailure('a frame came on an idle connection')
      }
      idle.push(...(await openMany(count, () => carrier.connect(setting, onFrame))))
      return { connections: idle.length, ...memory() }
    },
    memory,
  }
}

/** What the process has in memory, in bytes, without what nobody refers to. */
export function memory(): Metrics {
  globalThis.gc?.()
  return { resident: process.memoryUsage.rss() }
}

async function openMany(count: number, open: () => Promise<Link>): Promise<Link[]> {
  const links: Link[] = []
  while (links.length < count) {
    const some = Math.min(together, count - links.length)
    links.push(...(await Promise.all(Array.from({ length: some }, open))))
  }
  return links
}
