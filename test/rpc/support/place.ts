/**
 * Scenarios: what each of some vats serves and does, written once, and run wherever vats can be: in the memory of one
 * thread under every order (explore.ts), and in processes (process-place.ts).
 *
 * What a vat does may depend on nothing but what it has received and its own steps: roles share no variable. It is what
 * lets one role run in a process of its own, and what lets explore.ts leave out orders that no vat can tell apart.
 */
import type { RpcStub } from '../../../src/rpc/index.js'

/** An object whose disposals can be counted. */
export interface Disposed {
  readonly disposals: number
}

/** Where the objects of a vat are, whatever runs it. */
export interface Moments {
  /** A moment some time from now, which is chosen as those of the messages' arrivals are. */
  turn(name: string): Promise<unknown>
  /** It has to be disposed of exactly once by the end. */
  watch<T extends Disposed>(target: T, name: string): T
}

/** A stub of what another vat serves, the caller's own. */
export type MainOf = <Remote>(of: string) => RpcStub<Remote> & Disposable

/** Where one vat of a scenario is. */
export interface Place extends Moments {
  readonly name: string
  /** What it asks of others. Every one has to be settled in the end, whatever happens. */
  readonly calls: PromiseLike<unknown>[]
  /** Before whatever may happen sooner or later: a call, a disposal, a cancellation, a resolution. */
  step(): Promise<unknown>
  readonly main: MainOf
  /** Lets go of it when all vats are done, for what their objects hold of one another. */
  keep<T extends Disposable>(held: T): T
  /** To be looked at when nothing is under way any more. Not where the connection is lost. */
  atEnd(check: () => void): void
  /** To be looked at in the end, also where the connection was lost. */
  always(check: () => void): void
  /** Loses the connection to another vat; what is under way to here does not arrive. */
  lose(peer: string): void
}

export interface Role {
  /** What it serves; default an empty object. */
  main?(place: Place): object
  /** What it does. */
  run?(place: Place, main: never): Promise<void>
}

export interface Scenario {
  readonly name: string
  /** Pairs of vats that are connected. */
  readonly links: readonly (readonly [string, string])[]
  readonly roles: Readonly<Record<string, Role>>
  /** There are more orders than the suite tries. */
  readonly many?: boolean
}

/** A vat that serves what `main` makes and does what `run` says. */
export function role<Main extends object>(
  main: (place: Place) => Main,
  run: (place: Place, main: Main) => Promise<void> = async () => {},
): Role {
  return { main, run: run as (place: Place, main: never) => Promise<void> }
}

/** Two vats, a and b. */
export function two(name: string, a: Role | Role['run'], b: Role): Scenario {
  return { name, links: [['a', 'b']], roles: { a: typeof a === 'object' ? a : { run: a as never }, b } }
}

/** Three vats in a row: a – b – c. */
export function row(name: string, a: Role | Role['run'], b: Role, c: Role): Scenario {
  const links = [
    ['a', 'b'],
    ['b', 'c'],
  ] as const
  return { name, links, roles: { a: typeof a === 'object' ? a : { run: a as never }, b, c } }
}

/** Plays one role at a place. Throws what the role does, when everything that it asked has been settled. */
export async function play({ run }: Role, place: Place, main: object): Promise<void> {
  try {
    await run?.(place, main as never)
  } finally {
    await Promise.allSettled(place.calls)
  }
}

/** There are more orders of these than the suite tries. */
export function many(scenario: Scenario): Scenario {
  return { ...scenario, many: true }
}
