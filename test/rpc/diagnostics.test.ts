/** What passes, as node:diagnostics_channel tells of it; trace context from the caller to the callee. */
import { AsyncLocalStorage } from 'node:async_hooks'
import diagnosticsChannel from 'node:diagnostics_channel'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  callContext,
  RpcError,
  type RpcOptions,
  RpcSession,
  RpcTarget,
  type TraceContext,
  type WatchedCall,
} from '../../src/rpc/index.js'
import { Descriptor } from '../../src/stream/index.js'
import { streamPair } from '../support/streams.js'
import { gate, plain, until } from './support/waiting.js'

class Inner extends RpcTarget {
  hello() {
    return 'hello'
  }
  get size() {
    return 5
  }
}

class Main extends RpcTarget {
  trace: TraceContext | undefined
  readonly entered = gate()
  readonly leave = gate()
  inner() {
    return new Inner()
  }
  echo(value: unknown) {
    this.trace = callContext().trace
    return value
  }
  fail() {
    throw new TypeError('no')
  }
  overload() {
    throw new RpcError('overloaded', 'later')
  }
  async work() {
    this.entered.open()
    await this.leave.promise
  }
  kind(descriptor: Descriptor) {
    return descriptor.kind
  }
  askBack(ask: () => PromiseLike<string>) {
    return ask()
  }
}

function sessions(options: RpcOptions = {}) {
  const [a, b] = streamPair()
  const main = new Main()
  const client = new RpcSession<Main>(a, {}, options)
  const server = new RpcSession(b, main)
  const api = client.getRemoteMain()
  onTestFinished(async () => {
    main.leave.open()
    api[Symbol.dispose]()
    await client.close()
    await server.closed
  })
  return { client, server, main, api }
}

function watched(name: 'pillion:rpc:called' | 'pillion:rpc:served'): WatchedCall[] {
  const calls: WatchedCall[] = []
  const onCall = (call: unknown) => void calls.push(call as WatchedCall)
  diagnosticsChannel.subscribe(name, onCall)
  onTestFinished(() => void diagnosticsChannel.unsubscribe(name, onCall))
  return calls
}

describe.each(['pillion:rpc:called', 'pillion:rpc:served'] as const)('%s', (name) => {
  it('tells of each call: method, mode, peer, duration, bytes, descriptors, outcome', async () => {
    const { api } = sessions()
    const calls = watched(name)
    await api.echo('x'.repeat(1000))
    using memfd = Descriptor.memfd(4)
    expect(await api.kind(memfd)).toBe('memfd')
    expect(calls).toEqual([
      {
        method: 'echo',
        mode: 'call',
        peer: expect.objectContaining({ pid: process.pid, uid: process.getuid?.() }),
        duration: expect.any(Number),
        bytes: expect.any(Number),
        descriptors: 0,
        outcome: 'returned',
        trace: undefined,
      },
      expect.objectContaining({ method: 'kind', descriptors: 1, outcome: 'returned' }),
    ])
    expect(calls[0]?.bytes).toBeGreaterThan(1000)
    expect(calls[0]?.duration).toBeGreaterThan(0)
  })

  it('tells how calls fail', async () => {
    const { api } = sessions()
    const calls = watched(name)
    await Promise.allSettled([api.fail(), api.overload(), (api as unknown as { none(): Promise<void> }).none()])
    expect(calls.map(({ method, outcome }) => [method, outcome])).toEqual([
      ['fail', 'failed'],
      ['overload', 'overloaded'],
      ['none', 'unimplemented'],
    ])
  })

  it('tells of calls that were canceled', async () => {
    const { api, main } = sessions()
    const calls = watched(name)
    const work = api.work()
    await main.entered.promise
    work[Symbol.dispose]()
    await api.echo(1)
    main.leave.open()
    await until(() => calls.length === 2)
    expect(calls.map(({ method, outcome }) => [method, outcome])).toEqual(
      expect.arrayContaining([
        ['work', 'canceled'],
        ['echo', 'returned'],
      ]),
    )
  })

  it('tells of calls on what is promised, and of properties', async () => {
    const { api } = sessions()
    const calls = watched(name)
    using inner = api.inner()
    expect(await Promise.all([inner.hello(), inner.size])).toEqual(['hello', 5])
    expect(calls.map(({ method, mode }) => [method, mode])).toEqual([
      ['inner', 'call'],
      ['hello', 'call'],
      ['size', 'get'],
    ])
  })

  it('tells of a tail call that its results go elsewhere, and lets it stay one', async () => {
    const { api } = sessions()
    const calls = watched(name)
    expect(await api.askBack(async () => 'called back')).toBe('called back')
    await until(() => calls.length === 2)
    const [passedOn, returned] = name === 'pillion:rpc:called' ? ['', 'askBack'] : ['askBack', '']
    expect(calls.map(({ method, outcome }) => [method, outcome])).toEqual(
      expect.arrayContaining([
        [passedOn, 'passedOn'],
        [returned, 'returned'],
      ]),
    )
  })
})

it('tells of calls that end with the connection', async () => {
  const { api, main, client } = sessions()
  const calls = watched('pillion:rpc:called')
  const rejected = expect(plain(api.work())).rejects.toMatchObject({ type: 'disconnected' })
  await main.entered.promise
  await client.close()
  await rejected
  expect(calls).toEqual([expect.objectContaining({ method: 'work', outcome: 'disconnected' })])
})

describe('the trace context', () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

  it('goes from the option of the caller to the context of the callee, for each call', async () => {
    const current = new AsyncLocalStorage<TraceContext>()
    const { api, main } = sessions({ traceContext: () => current.getStore() })
    const served = watched('pillion:rpc:served')
    await current.run({ traceparent, tracestate: 'a=1' }, () => api.echo(1))
    expect(main.trace).toEqual({ traceparent, tracestate: 'a=1' })
    await current.run({ traceparent }, () => api.echo(1))
    expect(main.trace).toEqual({ traceparent })
    await api.echo(1)
    expect(main.trace).toBeUndefined()
    expect(served.map(({ trace }) => trace)).toEqual([{ traceparent, tracestate: 'a=1' }, { traceparent }, undefined])
  })

  it.each([
    ['is none', () => ({ traceparent: 5 }), { code: 'ERR_PILLION_USAGE' }],
    ['is too long', () => ({ traceparent, tracestate: 'x'.repeat(9000) }), { code: 'ERR_PILLION_USAGE' }],
    [
      'is thrown for',
      () => {
        throw new Error('no tracer')
      },
      { message: 'no tracer' },
    ],
  ])('that %s fails the call alone', async (_, traceContext, error) => {
    let broken = true
    const { api } = sessions({ traceContext: () => (broken ? (traceContext() as TraceContext) : undefined) })
    await expect(plain(api.echo(1))).rejects.toMatchObject(error)
    broken = false
    expect(await api.echo(1)).toBe(1)
  })
})
