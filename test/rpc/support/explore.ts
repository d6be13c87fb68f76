/**
 * Exploring: a scenario is run under every order in which its messages can arrive, as far as that is bounded, and under
 * orders taken at random beyond. Each run has to end with empty tables.
 */
import fc from 'fast-check'
import { type Choose, Network } from './network.js'

export type Scenario = (network: Network) => Promise<void>

export interface ExploreOptions {
  /** Orders that are tried one after the other; default 400, or what PILLION_ORDERS says. */
  readonly most?: number
  /** Orders taken at random, if there are more than that; default half as many. */
  readonly random?: number
}

export interface Explored {
  readonly runs: number
  /** Every order there is was tried. */
  readonly complete: boolean
}

const usual = Number(process.env.PILLION_ORDERS ?? 400)

export async function explore(
  scenario: Scenario,
  { most = usual, random = most / 2 }: ExploreOptions = {},
): Promise<Explored> {
  let path: number[] = []
  for (let runs = 1; ; runs++) {
    const { choose, taken } = following(path)
    await once(scenario, choose, () => taken.map(({ choice }) => choice))
    while (taken.length > 0 && isLast(taken[taken.length - 1] as Taken)) taken.pop()
    const last = taken[taken.length - 1]
    if (last === undefined) return { runs, complete: true }
    path = [...taken.slice(0, -1).map(({ choice }) => choice), last.choice + 1]
    if (runs >= most) {
      await exploreAtRandom(scenario, random)
      return { runs: runs + random, complete: false }
    }
  }
}

/** Shrunk by fast-check to the plainest order that fails. */
export async function exploreAtRandom(scenario: Scenario, runs: number): Promise<void> {
  const orders = fc.array(fc.nat(11), { minLength: 0, maxLength: 200, size: 'max' })
  await fc.assert(
    fc.asyncProperty(orders, async (order) => {
      await once(scenario, by(order), () => order)
    }),
    { numRuns: runs },
  )
}

/** One run, by an order: at each step the number of the way that delivers; 0 beyond its end. */
export async function once(
  scenario: Scenario,
  choose: Choose,
  order: () => readonly number[] = () => [],
): Promise<void> {
  const network = new Network(choose)
  try {
    await network.run(() => scenario(network))
    await network.end()
  } catch (error) {
    const messages = network.sent.map(({ way, message }) => `  ${way} ${describe(message)}`).join('\n')
    throw new Error(`in the order [${order().join(', ')}]: ${(error as Error).message}\n${messages}`, { cause: error })
  }
}

export function by(order: readonly number[]): Choose {
  let step = 0
  return (among) => (order[step++] ?? 0) % among
}

interface Taken {
  readonly choice: number
  readonly among: number
}

function isLast({ choice, among }: Taken): boolean {
  return choice === among - 1
}

function following(path: readonly number[]): { readonly choose: Choose; readonly taken: Taken[] } {
  const taken: Taken[] = []
  return {
    taken,
    choose: (among) => {
      const choice = path[taken.length] ?? 0
      taken.push({ choice, among })
      return choice
    },
  }
}

function describe(message: object): string {
  return JSON.stringify(message, (key, value: unknown) => {
    if (key === 'content' || key === 'detail' || value === undefined) return undefined
    if (Array.isArray(value) && value.length === 0) return undefined
    return value
  })
}
