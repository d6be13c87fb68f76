/**
 * Plays vats of the conformance scenarios as it is told over the socket that is its descriptor 3, over sockets that it is
 * given; until that one ends, or it is killed.
 */
import { readdirSync } from 'node:fs'
import { RpcSession, RpcTarget } from '../../../src/rpc/index.js'
import { adopt, type Descriptor } from '../../../src/stream/index.js'
import { scenarioOf } from '../conformance/scenarios/index.js'
import { Actor } from '../support/actor.js'

export class Stage extends RpcTarget {
  /** @param limit of its messages; negative: none */
  enter(scenario: string, vat: string, sockets: Map<string, Descriptor>, limit: number): Actor {
    const own = new Map([...sockets].map(([peer, socket]) => [peer, socket.dup()]))
    return new Actor(scenarioOf(scenario), vat, own, limit < 0 ? {} : { limit })
  }

  /** How many are open in its process. */
  descriptors(): number {
    return readdirSync('/proc/self/fd').length
  }
}

await new RpcSession(adopt(3), new Stage()).closed
