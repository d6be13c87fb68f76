/**
 * A stub of something that is not known yet: it travels as a promise (senderPromise), and the peer is told by a Resolve.
 */
import type { RpcStub } from '../../../src/rpc/index.js'
import { RpcError } from '../../../src/rpc/index.js'
import { BrokenCapability } from '../../../src/rpc/machine/broken-capability.js'
import { QueuedCapability } from '../../../src/rpc/machine/queued-capability.js'
import { defaultVat } from '../../../src/rpc/realm.js'
import { type Handle, handleOf } from '../../../src/rpc/stubs/handle.js'
import { stubOf } from '../../../src/rpc/stubs/proxy.js'

export interface Promised<T> {
  readonly stub: RpcStub<T>
  /** Takes over the stub, or the promise of one. */
  resolve(stub: RpcStub<T>): void
  reject(reason: string): void
}

export function promised<T>(): Promised<T> {
  const queued = new QueuedCapability(100)
  return {
    stub: stubOf(queued, defaultVat()) as RpcStub<T>,
    resolve: (stub) => {
      // Of what a promise promises, if it is one.
      queued.resolve((handleOf(stub) as Handle).pass().cap)
      ;(stub as Disposable)[Symbol.dispose]()
    },
    reject: (reason) => queued.resolve(new BrokenCapability(new RpcError('failed', reason))),
  }
}
