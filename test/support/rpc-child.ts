/**
 * A session with a process of its own: a program that serves over the socket that is its descriptor 3.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished } from 'vitest'
import { RpcSession, type RpcStub } from '../../src/rpc/index.js'
import { adopt, type Descriptor, type FrameStream } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { programAt } from './programs.js'

export interface Served<Main> {
  readonly api: RpcStub<Main>
  readonly stream: FrameStream
}

export interface ServedOptions {
  /** Of the child's open descriptors. */
  readonly limit?: number
  /** What the child can ask for. */
  readonly main?: object
}

/** Ends with the test, and has to exit properly then. */
export function served<Main>(path: string, { limit, main = {} }: ServedOptions = {}): Served<Main> {
  const [ours, theirs] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
  const ulimit = limit === undefined ? '' : `ulimit -n ${limit}; `
  const command = ['-c', `${ulimit}exec "$@"`, 'sh', process.execPath, ...programAt(path)]
  const child = spawn('/bin/sh', command, {
    stdio: ['ignore', 'inherit', 'inherit', theirs.fd],
    // Warnings are emitted, for those who look, but not printed.
    env: { ...process.env, NODE_NO_WARNINGS: '1' },
  })
  theirs.close()
  const exited = once(child, 'exit')
  const stream = adopt(ours)
  const session = new RpcSession<Main>(stream, main)
  const api = session.getRemoteMain()
  onTestFinished(async () => {
    api[Symbol.dispose]()
    await session.close()
    expect(await exited).toEqual([0, null])
  })
  return { api, stream }
}
