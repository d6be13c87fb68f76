/**
 * Whatever vats do with what they have of one another, in whatever order messages arrive: support/random-program.ts.
 */
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { by, once, patience } from '../support/explore.js'
import { Program, programs } from '../support/random-program.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: patience })

const numRuns = Number(process.env.PILLION_PROGRAMS ?? 150)
const orders = fc.array(fc.nat(11), { maxLength: 100, size: 'max' })

test.each([
  ['two', ['a', 'b']],
  ['three', ['a', 'b', 'c']],
] as const)('Random programs on %s vats end with nothing held, and with calls in order', async (_name, vats) => {
  let steps = 0
  await fc.assert(
    fc.asyncProperty(programs(vats.length, 25), orders, fc.boolean(), async (program, order, batches) => {
      steps += program.length
      await once(
        async (network) => {
          await new Program(network, vats).run(program)
        },
        by(order),
        () => order,
        { batches },
      )
    }),
    { numRuns },
  )
  expect(steps).toBeGreaterThan(numRuns)
})
