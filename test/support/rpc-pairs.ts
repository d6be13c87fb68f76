/**
 * Sessions for tests: pairs over sockets or in memory, and a proxy between two of them. All end with their test.
 */
import { onTestFinished } from 'vitest'
import { MemoryTransport, type RpcOptions, RpcSession, type RpcStub } from '../../src/rpc/index.js'
import { pair, type StreamOptions } from '../../src/stream/index.js'
import { until } from './streams.js'

export interface Pair<Main> {
  readonly client: RpcSession<Main>
  readonly server: RpcSession<unknown>
  /** The server's main object. */
  readonly api: RpcStub<Main>
}

export interface PairOptions extends RpcOptions {
  readonly over?: 'sockets' | 'memory'
  readonly stream?: StreamOptions
  readonly carriesDescriptors?: boolean
}

export function rpcPair<Main>(main: Main, options: PairOptions = {}): Pair<Main> {
  const { over = 'sockets', stream, carriesDescriptors = true, ...rpc } = options
  const [left, right] = over === 'sockets' ? pair(stream) : MemoryTransport.pair({ carriesDescriptors })
  const client = new RpcSession<Main>(left, {}, rpc)
  const server = new RpcSession<unknown>(right, main, rpc)
  const api = client.getRemoteMain()
  onTestFinished(async () => {
    api[Symbol.dispose]()
    await client.close()
    await server.close()
  })
  return { client, server, api }
}

/** The main object behind a third vat, which passes on what it is called, and what it is given. */
export function rpcProxy<Main>(main: Main, options: PairOptions = {}): Pair<Main> & { readonly behind: Pair<Main> } {
  const behind = rpcPair(main, options)
  return { ...rpcPair(behind.api as unknown as Main, options), behind }
}

interface Drained {
  drain(): Promise<void>
  getStats(): { imports: number; exports: number }
}

/** Nothing is held or under way any more but the main objects. */
export async function nothingLeft(...sessions: Drained[]): Promise<void> {
  for (const session of sessions) await session.drain()
  await until(
    () => sessions.every((session) => session.getStats().imports + session.getStats().exports <= 1),
    'nothing to be left in the tables',
  )
}
