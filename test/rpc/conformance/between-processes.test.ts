/**
 * The scenarios over real sockets, each vat in a process of its own, as the kernel has it; and with one of the processes
 * killed after each of its messages.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Scenario } from '../support/place.js'
import { type Cast, enter, Troupe } from '../support/theatre.js'
import { scenarios } from './scenarios/index.js'

vi.setConfig({ testTimeout: 120_000 })

let troupes: readonly [Troupe, Troupe]
beforeAll(() => {
  troupes = [new Troupe(), new Troupe()]
})
afterAll(async () => {
  for (const troupe of troupes) expect(await troupe.end()).toBe(0)
})

const groups = Object.entries(scenarios)

/** Plays it to its end, the first vat here. How many messages each vat has sent and received. */
async function whole(scenario: Scenario): Promise<ReadonlyMap<string, number>> {
  const vats = Object.keys(scenario.roles)
  const cast = await enter(
    scenario,
    Object.fromEntries(vats.map((vat, i) => [vat, { troupe: i === 0 ? undefined : troupes[i - 1] }])),
  )
  const all = [...cast.values()]
  await Promise.all(all.map((actor) => actor.played()))
  await Promise.all(all.map((actor) => actor.settled()))
  const messages = await Promise.all([...cast].map(async ([vat, actor]) => [vat, await actor.messages] as const))
  await Promise.all(all.map((actor) => actor.end()))
  leave(cast)
  return new Map(messages)
}

/** Lets go of those of other processes. */
function leave(cast: ReadonlyMap<string, Cast>): void {
  for (const actor of cast.values()) (actor as Partial<Disposable>)[Symbol.dispose]?.()
}

describe.each(groups)('Between processes, with nothing left on any side: %s:', (_group, group) => {
  test.each(group)('$name', async (scenario) => {
    const before = await Promise.all(troupes.map(({ stage }) => stage.descriptors()))
    await whole(scenario)
    expect(await Promise.all(troupes.map(({ stage }) => stage.descriptors()))).toEqual(before)
  })
})

describe('When a process is killed after any of its messages, everything ends at the others:', () => {
  test.each(['a', 'b', 'c'])('that of vat %s', async (victim) => {
    const before = await troupes[1].stage.descriptors()
    const doomed = new Troupe()
    const survivors: Cast[] = []
    const casts: ReadonlyMap<string, Cast>[] = []
    const stopped: Promise<unknown>[] = []
    for (const scenario of groups.flatMap(([, group]) => group).filter(({ roles }) => victim in roles)) {
      const messages = (await whole(scenario)).get(victim) as number
      for (let limit = 0; limit <= messages; limit++) {
        const others = Object.keys(scenario.roles).filter((vat) => vat !== victim)
        const castings = others.map((vat, i) => [vat, { troupe: i === 0 ? undefined : troupes[1] }])
        const cast = await enter(scenario, { ...Object.fromEntries(castings), [victim]: { troupe: doomed, limit } })
        const alive = others.map((vat) => cast.get(vat) as Cast)
        const frozen = Promise.resolve((cast.get(victim) as Cast).frozen())
        casts.push(cast)
        survivors.push(...alive)
        // Or it has no more to say.
        stopped.push(Promise.race([frozen, Promise.all(alive.map((actor) => actor.played(true)))]))
      }
    }
    await Promise.all(stopped)
    await doomed.kill()
    await Promise.all(survivors.map((actor) => actor.played(true)))
    await Promise.all(survivors.map((actor) => actor.settled()))
    await Promise.all(survivors.map((actor) => actor.end(true)))
    for (const cast of casts) leave(cast)
    await doomed.end()
    expect(casts.length).toBeGreaterThan(50)
    expect(await troupes[1].stage.descriptors()).toBe(before)
  })
})
