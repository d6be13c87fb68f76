/**
 * A scenario in memory: all its vats in one thread, on a network that decides what happens when.
 */
import { RpcError } from '../../../src/rpc/index.js'
import type { End } from './end.js'
import type { Network } from './network.js'
import { type Disposed, type MainOf, type Place, play, type Role, type Scenario } from './place.js'

export interface MemoryOptions {
  /** The connections are lost at some moment: calls may fail for that, and what is to be seen at the end may not be. */
  readonly lossy?: boolean
}

/** Runs it on a network, to the end of what each vat does. */
export async function inMemory(
  scenario: Scenario,
  network: Network,
  { lossy = false }: MemoryOptions = {},
): Promise<void> {
  const places = new Map(Object.keys(scenario.roles).map((name) => [name, new MemoryPlace(name, network, lossy)]))
  const mains = new Map([...places].map(([name, place]) => [name, scenario.roles[name]?.main?.(place) ?? {}]))
  for (const [number, [a, b]] of scenario.links.entries()) {
    const [ofA, ofB] = network.connect(a, mains.get(a) as object, b, mains.get(b) as object)
    places.get(a)?.connected(b, ofA, () => network.cut(number, 0))
    places.get(b)?.connected(a, ofB, () => network.cut(number, 1))
  }
  const running = [...places].map(([name, place]) =>
    play(scenario.roles[name] as Role, place, mains.get(name) as object),
  )
  for (const outcome of await Promise.allSettled(running)) {
    if (outcome.status === 'rejected' && !(lossy && isLoss(outcome.reason))) throw outcome.reason
  }
}

/** The connection was lost, and nothing else. */
export function isLoss(error: unknown): boolean {
  return error instanceof RpcError && error.type === 'disconnected'
}

interface Link {
  readonly end: End
  readonly lose: () => void
}

class MemoryPlace implements Place {
  readonly name: string
  readonly calls: PromiseLike<unknown>[] = []
  readonly #network: Network
  readonly #lossy: boolean
  readonly #links = new Map<string, Link>()
  readonly main: MainOf = (of) => (this.#links.get(of) as Link).end.main() as never

  constructor(name: string, network: Network, lossy: boolean) {
    this.name = name
    this.#network = network
    this.#lossy = lossy
  }

  connected(peer: string, end: End, lose: () => void): void {
    this.#links.set(peer, { end, lose })
  }

  step(): Promise<void> {
    return this.#network.turn(this.name)
  }

  turn(): Promise<void> {
    return this.step()
  }

  watch<T extends Disposed>(target: T, name: string): T {
    return this.#network.watch(target, name)
  }

  keep<T extends Disposable>(held: T): T {
    this.#network.atRelease(() => held[Symbol.dispose]())
    return held
  }

  atEnd(check: () => void): void {
    if (!this.#lossy) this.#network.atEnd(check)
  }

  always(check: () => void): void {
    this.#network.atEnd(check)
  }

  lose(peer: string): void {
    ;(this.#links.get(peer) as Link).lose()
  }
}
