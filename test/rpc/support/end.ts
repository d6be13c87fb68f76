/**
 * End: one vat's end of a session, whose tables can be looked at.
 */
import { defaultLimits } from '../../../src/rpc/index.js'
import type { Capability } from '../../../src/rpc/machine/capability.js'
import { Connection } from '../../../src/rpc/machine/connection.js'
import { rpcSettings } from '../../../src/rpc/options.js'
import { vatOf } from '../../../src/rpc/realm.js'
import { stubOf } from '../../../src/rpc/stubs/proxy.js'
import type { RpcStub } from '../../../src/rpc/stubs/types.js'
import type { RpcTransport } from '../../../src/rpc/transport.js'
import { PillionWire } from '../../../src/rpc/wire/pillion-wire.js'

export class End {
  readonly name: string
  readonly connection: Connection
  readonly #vat = vatOf(rpcSettings({}))
  #main: Capability | undefined

  constructor(name: string, transport: RpcTransport, main: object) {
    this.name = name
    this.connection = new Connection(
      this.#vat,
      transport,
      new PillionWire(),
      this.#vat.hold(main),
      { peer: undefined, publicSession: undefined },
      defaultLimits,
      { onEnd: () => {}, onIdle: () => {} },
    )
    this.connection.start()
  }

  /** A stub of the peer's main object, the caller's own. */
  main<Remote>(): RpcStub<Remote> {
    this.#main ??= this.connection.bootstrap()
    return stubOf(this.#main.addRef(), this.#vat) as RpcStub<Remote>
  }

  releaseMain(): void {
    this.#main?.release()
    this.#main = undefined
  }
}
