/**
 * The scenarios in memory, under every order in which the messages and the steps of the vats can come. How many there are
 * is printed at the end. Where there are more than are tried one by one, that is said; PILLION_ORDERS raises the bound.
 */
import { afterAll, describe, expect, test, vi } from 'vitest'
import { explore, exploreAtRandom, patience } from '../support/explore.js'
import { inMemory } from '../support/memory-place.js'
import type { Scenario } from '../support/place.js'
import { scenarios } from './scenarios/index.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: patience })

const batchedRuns = Math.ceil(Number(process.env.PILLION_ORDERS ?? 200) / 20)
const lines: string[] = []
afterAll(() => console.log(`orders in which no vat sees the same:\n${lines.join('\n')}`))

/** All of them, or by the usual bound. */
async function tried(scenario: Scenario, bound: { readonly most?: number } = {}): Promise<boolean> {
  const { orders, complete } = await explore((network) => inMemory(scenario, network), bound)
  lines.push(`${String(orders).padStart(7)}${complete ? ', all     ' : ' of more '} ${scenario.name}`)
  expect(orders).toBeGreaterThan(1)
  return complete
}

const whole = Object.entries(scenarios).filter(([, group]) => group.some(({ many }) => many !== true))

describe.each(whole)('Every order of messages and steps of %s:', (_group, group) => {
  test.each(group.filter(({ many }) => many !== true))('$name', async (scenario) => {
    expect(await tried(scenario, { most: 2000 })).toBe(true)
  })
})

describe('As many orders as PILLION_ORDERS says, and half as many at random:', () => {
  test.each(Object.values(scenarios).flatMap((group) => group.filter(({ many }) => many === true)))(
    '$name',
    async (scenario) => {
      await tried(scenario)
    },
  )
})

// What a vat does between two messages may take some turns of its microtasks, which it does not have within a batch.
describe('Orders at random, in which all that is on a way arrives at once:', () => {
  test.each(Object.values(scenarios).flat())('$name', async (scenario) => {
    await exploreAtRandom((network) => inMemory(scenario, network), batchedRuns, { batches: true })
  })
})
