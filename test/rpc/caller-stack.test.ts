/**
 * The stacks of rejected calls: they name the async functions that await them.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type RpcPromise, RpcSession, type RpcStub, RpcTarget, withOptions } from '../../src/rpc/index.js'
import { pair } from '../../src/stream/index.js'

class Failing extends RpcTarget {
  fail(): number {
    throw new RangeError('on purpose')
  }
  never(): Promise<void> {
    return new Promise(() => {})
  }
}

let sessions: RpcSession[]
let remote: RpcStub<Failing>

beforeEach(() => {
  const [here, there] = pair()
  const client = new RpcSession<Failing>(here)
  sessions = [client, new RpcSession(there, new Failing())]
  remote = client.getRemoteMain()
})

afterEach(async () => {
  remote[Symbol.dispose]()
  for (const session of sessions) await session.close()
})

async function whoAsks(call: () => RpcPromise<unknown>): Promise<unknown> {
  return await call()
}

async function whoAsksThem(call: () => RpcPromise<unknown>): Promise<void> {
  await whoAsks(call)
}

async function stackOf(call: () => RpcPromise<unknown>): Promise<string> {
  const error: unknown = await whoAsksThem(call).catch((error: unknown) => error)
  return (error as Error).stack ?? ''
}

test('of what a method threw names the callers, once', async () => {
  const stack = await stackOf(() => remote.fail())
  expect(stack).toMatch(/^RpcError: on purpose\n/)
  expect(stack).toMatch(/at (async )?whoAsks .*caller-stack\.test\.ts.*\n.*at (async )?whoAsksThem /)
  expect(stack.match(/whoAsksThem/g)).toHaveLength(1)
})

test('of a method that is not there, and of a timeout, names them too', async () => {
  const absent = () => (remote as unknown as RpcStub<{ absent(): void }>).absent()
  expect(await stackOf(absent)).toMatch(/at (async )?whoAsks /)
  using hurried = withOptions(remote, { timeout: 5 })
  expect(await stackOf(() => hurried.never())).toMatch(/at (async )?whoAsks /)
})

test('of a call whose error was awaited twice is told once', async () => {
  const promise = remote.fail()
  const first = await stackOf(() => promise)
  expect(await stackOf(() => promise)).toBe(first)
})

test('of what ends many calls at once belongs to none of them', async () => {
  const calls = [whoAsks(() => remote.never()), whoAsks(() => remote.never())]
  const settled = Promise.allSettled(calls)
  await sessions[1]?.close()
  for (const outcome of await settled) {
    expect(outcome).toMatchObject({ status: 'rejected', reason: { type: 'disconnected' } })
    expect((outcome as PromiseRejectedResult).reason.stack).not.toContain('whoAsks')
  }
})
