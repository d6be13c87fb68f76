/**
 * The connection is lost after each message: everything outstanding ends with `disconnected`, nothing is left, and what
 * arrived is what was sent first.
 */
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { by, type Explorable, once, patience } from '../support/explore.js'
import { inMemory } from '../support/memory-place.js'
import { Program, programs } from '../support/random-program.js'
import { scenarios } from './scenarios/index.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: patience })

const numRuns = Number(process.env.PILLION_PROGRAMS ?? 150)
const orders = fc.array(fc.nat(11), { maxLength: 60, size: 'max' })

/** Cuts after 0, 1, 2… deliveries, until there are no more of them; and anywhere in orders taken at random. */
async function cutEverywhere(scenario: Explorable): Promise<number> {
  let cuts = 0
  for (let reached = true; reached; cuts++) {
    await once(
      async (network) => {
        network.cutAfter(cuts)
        network.atEnd(() => {
          reached = network.delivered > cuts
        })
        await scenario(network)
      },
      () => 0,
    )
  }
  await fc.assert(
    fc.asyncProperty(orders, fc.nat(cuts), async (order, cut) => {
      await once(
        async (network) => {
          network.cutAfter(cut)
          await scenario(network)
        },
        by(order),
        () => order,
      )
    }),
    { numRuns: numRuns / 10 },
  )
  return cuts
}

describe('When the connection is lost after any message, everything ends, and what arrived is what was sent first:', () => {
  test.each(Object.values(scenarios).flat())('$name', async (scenario) => {
    expect(await cutEverywhere((network) => inMemory(scenario, network, { lossy: true }))).toBeGreaterThan(4)
  })
})

describe('When the connection is lost after any message, everything ends:', () => {
  test.each([
    ['two', ['a', 'b']],
    ['three', ['a', 'b', 'c']],
  ] as const)('random programs on %s vats', async (_name, vats) => {
    await fc.assert(
      fc.asyncProperty(programs(vats.length, 20), orders, fc.nat(60), async (program, order, cut) => {
        await once(
          async (network) => {
            network.cutAfter(cut)
            await new Program(network, vats).run(program)
          },
          by(order),
          () => order,
        )
      }),
      { numRuns },
    )
  })
})
