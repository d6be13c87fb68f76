/**
 * Orders: goes through the orders in which the events of a program can happen, one run for each, and leaves out those that
 * no vat can tell from one that was run.
 *
 * An event happens at one vat: a message arrives, or a step of the vat's own comes. All that it does is done in that vat:
 * it puts messages behind others that the vat sent, and steps of the vat's own among what may come. So two events at
 * different vats, both possible, commute: in either order both happen, and lead to the same. Orders that become one another
 * by exchanging such neighbours are one order (a Mazurkiewicz trace): each vat has the same history in all of them. One
 * of them is run.
 *
 * Two reductions, which are known to leave at least, and together here exactly, one complete run for each trace:
 *
 * - Persistent sets. Take a set of vats into which every way from outside is busy: whatever other vats do meanwhile goes
 *   behind what is on those ways already, and steps of a vat's own only it can bring about. So nothing that others do can
 *   add to, or interfere with, the events that are possible at these vats now, and any order that goes on from here has one of
 *   them as the first event at these vats, which can be exchanged to the front. Only those have to be tried here.
 * - Sleep sets. When all that begins with an event has been tried, orders in which it can still be exchanged to the front are
 *   no others: it sleeps, until an event at its own vat has happened.
 *
 * (P. Godefroid, Partial-Order Methods for the Verification of Concurrent Systems.) `orders.test.ts` compares what is
 * found with what all orders give, one by one.
 */
import type { Choose, Event, Silent } from './network.js'

interface Node {
  /** To be tried from here, by their queues. */
  readonly candidates: readonly Event[]
  /** Events that it would be useless to begin with from here. */
  readonly asleep: readonly Event[]
  tried: number
}

export class Orders {
  readonly #reduced: boolean
  readonly #nodes: Node[] = []
  #step = 0
  #useless = false

  /** @param reduced false: really all, for comparison */
  constructor(reduced = true) {
    this.#reduced = reduced
  }

  /** The order that is being tried, by the queues whose first events happen. */
  get current(): readonly string[] {
    return this.#nodes.map(({ candidates, tried }) => (candidates[tried] as Event).queue)
  }

  /** What has been run turned out to be the same as another run, from some event on. */
  get useless(): boolean {
    return this.#useless
  }

  readonly choose: Choose = (among, silent) => {
    if (this.#useless) return 0 // to its end, however
    const known = this.#nodes[this.#step]
    const node = known ?? this.#reach(among, silent)
    if (node === undefined) {
      this.#useless = true
      return 0
    }
    this.#step++
    const { queue } = node.candidates[node.tried] as Event
    const index = among.findIndex((event) => event.queue === queue)
    if (index < 0) throw new Error(`what was possible before is not now: ${queue}; the scenario is not deterministic`)
    return index
  }

  /** On to the next order, after a run. False: there is no other. */
  next(): boolean {
    this.#step = 0
    this.#useless = false
    for (;;) {
      const last = this.#nodes.at(-1)
      if (last === undefined) return false
      last.tried++
      if (last.tried < last.candidates.length) return true
      this.#nodes.pop()
    }
  }

  #reach(among: readonly Event[], silent: readonly Silent[]): Node | undefined {
    const asleep = this.#reduced ? this.#asleepBehind(this.#nodes.at(-1)) : []
    const tried = this.#reduced ? persistent(among, silent) : among
    const candidates = tried.filter(({ queue }) => !asleep.some((event) => event.queue === queue))
    if (candidates.length === 0) return undefined
    const node = { candidates, asleep, tried: 0 }
    this.#nodes.push(node)
    return node
  }

  #asleepBehind(node: Node | undefined): readonly Event[] {
    if (node === undefined) return []
    const { candidates, asleep, tried } = node
    const { vat } = candidates[tried] as Event
    const before = [...asleep, ...candidates.slice(0, tried)]
    return before.filter((event) => vat !== undefined && event.vat !== undefined && event.vat !== vat)
  }
}

/** The fewest events that have to be tried. */
function persistent(among: readonly Event[], silent: readonly Silent[]): readonly Event[] {
  if (among.some(({ vat }) => vat === undefined)) return among
  const ends = silent.flatMap(({ from, to }) => [from, to])
  const vats = [...new Set([...among.map(({ vat }) => vat as string), ...ends])]
  let fewest = among
  for (let bits = 1; bits < 2 ** vats.length; bits++) {
    const some = vats.filter((_, i) => (bits & (1 << i)) !== 0)
    if (silent.some(({ from, to }) => some.includes(to) && !some.includes(from))) continue
    const events = among.filter(({ vat }) => some.includes(vat as string))
    if (events.length > 0 && events.length < fewest.length) fewest = events
  }
  return fewest
}
