/**
 * The connection is lost after each message: everything outstanding ends with `disconnected`, nothing is left, and what
 * arrived is what was sent first.
 */
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { RpcStub } from '../../../src/rpc/index.js'
import { by, once, type Scenario } from '../support/explore.js'
import { Program, programs } from '../support/random-program.js'
import { disposeAll, Log, Vat } from '../support/vats.js'

// Hundreds of runs each, on machines that do other things as well.
vi.setConfig({ testTimeout: 300_000 })

const numRuns = Number(process.env.PILLION_PROGRAMS ?? 300)
const orders = fc.array(fc.nat(11), { maxLength: 60, size: 'max' })

/** Cuts after 0, 1, 2… deliveries, until there are no more of them; and anywhere in orders taken at random. */
async function cutEverywhere(scenario: Scenario): Promise<number> {
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
    { numRuns },
  )
  return cuts
}

type Outcome = number | { readonly type?: string; readonly code?: string }

/** What became of them. Each has to be settled, and those that failed, by the loss. */
async function outcomes(calls: readonly PromiseLike<unknown>[]): Promise<readonly Outcome[]> {
  const all = await Promise.all(calls.map((call) => Promise.resolve(call).catch((error: unknown) => error)))
  for (const outcome of all) if (typeof outcome !== 'number') expect(outcome).toMatchObject({ type: 'disconnected' })
  return all as Outcome[]
}

function firstOf(entries: readonly number[]): readonly number[] {
  return entries.map((_, i) => i + 1)
}

describe('When the connection is lost after any message, everything ends:', () => {
  test('calls on what is promised and on what it became', async () => {
    const cuts = await cutEverywhere(async (network) => {
      const vat = new Vat(network, 'b')
      const [a] = network.connect('a', {}, 'b', vat)
      using main = a.main<Vat>()
      using promise = main.getLogLater()
      const calls: PromiseLike<number>[] = [promise.add(1), promise.add(2)]
      const [log] = await Promise.all([Promise.resolve(promise).catch(() => undefined)])
      if (log !== undefined) calls.push(log.add(3), log.add(4))
      await outcomes(calls)
      if (log !== undefined) disposeAll(log)
      expect(vat.log.entries).toEqual(firstOf(vat.log.entries))
    })
    expect(cuts).toBeGreaterThan(5)
  })

  test('calls that an embargo holds up, which must not arrive without those before them', async () => {
    const cuts = await cutEverywhere(async (network) => {
      const log = network.watch(new Log(), 'log')
      const [a] = network.connect('a', {}, 'b', new Vat(network, 'b'))
      using main = a.main<Vat>()
      using mine = new RpcStub(log)
      using promise = main.echoLater(mine)
      const calls: PromiseLike<number>[] = [promise.add(1), promise.add(2)]
      const home = await Promise.resolve(promise).catch(() => undefined)
      if (home !== undefined) calls.push(home.add(3), home.add(4))
      await outcomes(calls)
      if (home !== undefined) disposeAll(home)
      expect(log.entries).toEqual(firstOf(log.entries))
    })
    expect(cuts).toBeGreaterThan(8)
  })

  test('promises that are resolved, and objects that are passed both ways', async () => {
    await cutEverywhere(async (network) => {
      const log = network.watch(new Log(), 'log')
      const vat = new Vat(network, 'b')
      const [a] = network.connect('a', {}, 'b', vat)
      using main = a.main<Vat>()
      using mine = new RpcStub(log)
      const calls: PromiseLike<unknown>[] = [
        Promise.resolve(main.use(mine, 1, 2)).then(
          () => 0,
          (error: unknown) => error,
        ),
      ]
      const later = await Promise.resolve(main.later(mine)).catch(() => undefined)
      if (later !== undefined) {
        calls.push(later.add(3))
        await network.turn('a')
        calls.push(later.add(4))
      }
      await outcomes(calls)
      if (later !== undefined) disposeAll(later)
    })
  })

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
