/**
 * Theatre: processes that play vats of scenarios, one of them the test's own, and the sockets between them.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { RpcSession, type RpcStub } from '../../../src/rpc/index.js'
import { adopt, type Descriptor } from '../../../src/stream/index.js'
import { adoptOwned } from '../../../src/transport/descriptor.js'
import { pairUnix } from '../../../src/transport/index.js'
import { programAt } from '../../support/programs.js'
import type { Stage } from '../children/stage.js'
import { Actor } from './actor.js'
import type { Scenario } from './place.js'

const program = fileURLToPath(new URL('../children/stage.ts', import.meta.url))

/** A process that plays vats. */
export class Troupe {
  readonly stage: RpcStub<Stage> & Disposable
  readonly #session: RpcSession<Stage>
  readonly #process: ChildProcess
  readonly #exited: Promise<unknown[]>

  constructor() {
    const [ours, theirs] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
    this.#process = spawn(process.execPath, programAt(program), {
      stdio: ['ignore', 'inherit', 'inherit', theirs.fd],
      // Warnings are emitted, for those who look, but not printed.
      env: { ...process.env, NODE_NO_WARNINGS: '1' },
    })
    theirs.close()
    this.#exited = once(this.#process, 'exit')
    this.#session = new RpcSession<Stage>(adopt(ours))
    this.#session.closed.catch(() => {}) // it may be killed
    this.stage = this.#session.getRemoteMain() as RpcStub<Stage> & Disposable
  }

  /** Its exit code, or the signal that ended it. */
  async end(): Promise<unknown> {
    this.stage[Symbol.dispose]()
    await this.#session.close()
    const [code, signal] = await this.#exited
    return code ?? signal
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#exited
  }
}

/** An actor, of this process or of another. */
export type Cast = Pick<Actor, 'played' | 'frozen' | 'settled' | 'end'> & { messages: PromiseLike<number> | number }

export interface Casting {
  /** Where a vat is played; undefined: here. */
  readonly troupe: Troupe | undefined
  readonly limit?: number
}

/** Puts on a scenario: each vat where it is cast, with sockets between them. */
export async function enter(
  scenario: Scenario,
  castings: Readonly<Record<string, Casting>>,
): Promise<ReadonlyMap<string, Cast>> {
  const sockets = new Map(Object.keys(scenario.roles).map((vat) => [vat, new Map<string, Descriptor>()]))
  for (const [a, b] of scenario.links) {
    const [ofA, ofB] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
    sockets.get(a)?.set(b, ofA)
    sockets.get(b)?.set(a, ofB)
  }
  const cast = new Map<string, Cast>()
  for (const [vat, own] of sockets) {
    const { troupe, limit } = castings[vat] as Casting
    if (troupe === undefined) {
      cast.set(vat, new Actor(scenario, vat, own, limit === undefined ? {} : { limit }))
    } else {
      cast.set(vat, (await troupe.stage.enter(scenario.name, vat, own, limit ?? -1)) as unknown as Cast)
      for (const socket of own.values()) socket.close()
    }
  }
  return cast
}
