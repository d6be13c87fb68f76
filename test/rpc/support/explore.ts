/**
 * Exploring: a program is run under every order that makes a difference (orders.ts), as far as that is bounded, and under
 * orders taken at random beyond. Each run has to end with empty tables.
 */
import fc from 'fast-check'
import { type Choose, describe, Network, type NetworkOptions } from './network.js'
import { Orders } from './orders.js'

export type Explorable = (network: Network) => Promise<void>

export interface ExploreOptions {
  /** Runs of orders one after the other; default 200, or what PILLION_ORDERS says. */
  readonly most?: number
  /** Orders taken at random, if there are more than that; default half as many. */
  readonly random?: number
  /** False: orders that are the same for each vat, too. */
  readonly reduced?: boolean
  /** What each complete run has been. */
  readonly onRun?: (network: Network) => void
}

export interface Explored {
  /** Orders that differ for some vat. */
  readonly orders: number
  /** Every order there is was tried. */
  readonly complete: boolean
}

/** Milliseconds for a test of so many runs, on machines that do other things as well. */
export const patience = process.env.PILLION_ORDERS === undefined ? 300_000 : 12 * 3600_000

const usual = Number(process.env.PILLION_ORDERS ?? 200)

export async function explore(
  program: Explorable,
  { most = usual, random = most / 2, reduced = true, onRun }: ExploreOptions = {},
): Promise<Explored> {
  const orders = new Orders(reduced)
  let found = 0
  for (let runs = 1; ; runs++) {
    const network = await once(program, orders.choose, () => orders.current)
    if (!orders.useless) {
      found++
      onRun?.(network)
    }
    if (!orders.next()) return { orders: found, complete: true }
    if (runs >= most) {
      await exploreAtRandom(program, random)
      return { orders: found + random, complete: false }
    }
  }
}

/** Shrunk by fast-check to the plainest order that fails. */
export async function exploreAtRandom(program: Explorable, runs: number, options: NetworkOptions = {}): Promise<void> {
  const orders = fc.array(fc.nat(11), { minLength: 0, maxLength: 200, size: 'max' })
  await fc.assert(
    fc.asyncProperty(orders, async (order) => {
      await once(program, by(order), () => order, options)
    }),
    { numRuns: runs },
  )
}

/** One run, by an order. */
export async function once(
  program: Explorable,
  choose: Choose,
  order: () => readonly (number | string)[] = () => [],
  options: NetworkOptions = {},
): Promise<Network> {
  const network = new Network(choose, options)
  try {
    await network.run(() => program(network))
    await network.end()
    return network
  } catch (error) {
    const messages = network.sent.map(({ way, message }) => `  ${way} ${describe(message)}`).join('\n')
    throw new Error(`in the order [${order().join(', ')}]: ${(error as Error).message}\n${messages}`, { cause: error })
  }
}

/** At each moment the number of what happens next, of those that can; 0 beyond its end. */
export function by(order: readonly number[]): Choose {
  let step = 0
  return ({ length }) => (length === 1 ? 0 : (order[step++] ?? 0) % length)
}
