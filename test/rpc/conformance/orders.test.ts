/**
 * What orders.ts leaves out is nothing that a vat could tell: against all orders there are, one by one.
 */
import { describe, expect, test, vi } from 'vitest'
import { RpcStub } from '../../../src/rpc/index.js'
import { explore, patience } from '../support/explore.js'
import { inMemory } from '../support/memory-place.js'
import type { Network } from '../support/network.js'
import { type Place, row, type Scenario, two } from '../support/place.js'
import { disposeAll, Log, type Vat } from '../support/vats.js'
import { serving } from './scenarios/vats.js'

vi.setConfig({ testTimeout: patience })

const small: readonly Scenario[] = [
  two(
    'a call, and a step of each',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      const promise = b.getLogLater()
      await place.step()
      disposeAll(promise)
    },
    serving,
  ),
  two(
    'what is passed, called and let go of at both',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      using log = new RpcStub(place.watch(new Log(), 'log'))
      const call = b.use(log, 1)
      await place.step()
      disposeAll(call)
    },
    serving,
  ),
  two(
    'a vat with two steps that may come in any order',
    async (place: Place) => {
      using b = place.main<Vat>('b')
      const [one, two] = [b.failLater(), b.failLater()]
      await Promise.allSettled([one, two])
    },
    serving,
  ),
  row(
    'a vat between two others',
    { run: async (place) => place.main<Vat>('b')[Symbol.dispose]() },
    {
      run: async (place) => {
        await place.step()
        place.main<Vat>('c')[Symbol.dispose]()
      },
    },
    serving,
  ),
]

/** All that every vat has seen, in each run. */
async function histories(scenario: Scenario, reduced: boolean): Promise<string[]> {
  const seen: string[] = []
  const onRun = ({ histories }: Network) => {
    seen.push(JSON.stringify([...histories].sort(([a], [b]) => (a < b ? -1 : 1))))
  }
  const { complete } = await explore((network) => inMemory(scenario, network), {
    most: Number.POSITIVE_INFINITY,
    reduced,
    onRun,
  })
  expect(complete).toBe(true)
  return seen
}

describe('Without the orders that are left out', () => {
  test.each(small)('the vats have all the histories that they can have, each once: $name', async (scenario) => {
    const all = await histories(scenario, false)
    const found = await histories(scenario, true)
    expect(new Set(found)).toEqual(new Set(all))
    expect(found.length).toBe(new Set(found).size)
    expect(found.length).toBeGreaterThan(1)
    expect(found.length).toBeLessThan(all.length)
  })
})
