/**
 * A stub of something that is not known yet: it travels as a promise (senderPromise), and the peer is told by a Resolve.
 */
import type { RpcStub } from '../../../src/rpc/index.js'
import { RpcError } from '../../../src/rpc/index.js'
import { BrokenCapability } from '../../../src/rpc/machine/broken-capability.js'
import type { Capability } from '../../../src/rpc/machine/capability.js'
import { QueuedCapability } from '../../../src/rpc/machine/queued-capability.js'
import { defaultVat } from '../../../src/rpc/realm.js'
import { handleOf } from '../../../src/rpc/stubs/handle.js'
import { stubOf } from '../../../src/rpc/stubs/proxy.js'

export interface Promised<T> {
  readonly stub: RpcStub<T>
  /** Takes over the stub. */
  resolve(stub: RpcStub<T>): void
  reject(reason: string): void
}

export function promised<T>(): Promised<T> {
  const queued = new QueuedCapability(100)
  return {
    stub: stubOf(queued, defaultVat()) as RpcStub<T>,
    resolve: (stub) => {
      const capability = handleOf(stub)?.capability as Capability
      queued.resolve(capability.addRef())
      ;(stub as Disposable)[Symbol.dispose]()
    },
    reject: (reason) => queued.resolve(new BrokenCapability(new RpcError('failed', reason))),
  }
}
