/**
 * Two RPC sessions for tests, which end with their test; the tables have to be empty then.
 */
import { expect, onTestFinished } from 'vitest'
import { MemoryTransport, type MemoryTransportOptions, type RpcOptions, RpcSession } from '../../src/rpc/index.js'

export interface Sessions<Main> {
  readonly client: RpcSession<Main>
  readonly server: RpcSession
  /** A stub of the server's main object. */
  readonly api: ReturnType<RpcSession<Main>['getRemoteMain']>
}

export function sessionsOf<Main>(
  main: Main,
  { transport = {}, ...options }: RpcOptions & { transport?: MemoryTransportOptions } = {},
): Sessions<Main> {
  const [a, b] = MemoryTransport.pair(transport)
  const client = new RpcSession<Main>(a, {}, options)
  const server = new RpcSession(b, main, options)
  const api = client.getRemoteMain()
  onTestFinished(async () => {
    ;(api as Disposable)[Symbol.dispose]()
    await client.close()
    await server.close()
    for (const session of [client, server]) expect(session.getStats()).toEqual({ imports: 0, exports: 0 })
  })
  return { client, server, api }
}

/** Nothing but the main object is held, in either direction, once what is under way has arrived. */
export async function expectNothingHeld({ client, server }: Sessions<never>): Promise<void> {
  await client.drain()
  await server.drain()
  await expect
    .poll(() => [client.getStats(), server.getStats()])
    .toEqual([
      { imports: 1, exports: 0 },
      { imports: 0, exports: 1 },
    ])
}
