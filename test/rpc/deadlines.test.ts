/** Deadlines and cancellation, from the caller's options to the callee's signal. */
import { getEventListeners } from 'node:events'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type CallContext,
  type CallOptions,
  callContext,
  MemoryTransport,
  RpcSession,
  RpcTarget,
  withOptions,
} from '../../src/rpc/index.js'
import type { Call, Message } from '../../src/rpc/machine/messages.js'
import { Descriptor } from '../../src/stream/index.js'
import { rpcPair } from '../support/rpc-pairs.js'
import { streamPair } from '../support/streams.js'
import { call, plain as plainPayload, ScriptedPeer } from './support/scripted-peer.js'
import { gate, plain, until } from './support/waiting.js'

class Main extends RpcTarget {
  context: CallContext | undefined
  signal: AbortSignal | undefined
  readonly leave = gate<string>()
  now() {
    this.#look()
    return 'now'
  }
  work() {
    this.#look()
    return this.leave.promise
  }
  get property() {
    this.#look()
    return this.leave.promise
  }
  async room() {
    this.#look()
    await this.leave.promise
    return new Main()
  }
  untouched() {
    this.context = callContext()
    return this.leave.promise
  }
  echo(text: string) {
    return text
  }
  #look() {
    this.context = callContext()
    this.signal = this.context.signal
  }
}

function sessions() {
  const [a, b] = streamPair()
  const main = new Main()
  const client = new RpcSession<Main>(a)
  const server = new RpcSession(b, main)
  const api = client.getRemoteMain()
  onTestFinished(async () => {
    main.leave.open('too late')
    api[Symbol.dispose]()
    await client.close()
    await server.closed
  })
  return { client, server, main, api }
}

async function aborted(main: Main): Promise<unknown> {
  await until(() => main.signal?.aborted === true)
  return main.signal?.reason
}

const timedOut = { code: 'ERR_PILLION_TIMEOUT', message: expect.stringContaining('10 ms') }

describe('a timeout', () => {
  it('rejects with TimeoutError, and aborts the signal of the callee', async () => {
    const { api, main } = sessions()
    using hurried = withOptions(api, { timeout: 10 })
    await expect(plain(hurried.work())).rejects.toMatchObject(timedOut)
    expect(await aborted(main)).toMatchObject({ code: expect.stringMatching(/ERR_PILLION_(TIMEOUT|RPC)/) })
  })

  it('holds for a property', async () => {
    const { api, main } = sessions()
    await expect(plain(withOptions(api.property, { timeout: 10 }))).rejects.toMatchObject(timedOut)
    await aborted(main)
  })

  it('holds for a call of a property of a stub', async () => {
    const { api, main } = sessions()
    await expect(plain(withOptions(api.work, { timeout: 10 })())).rejects.toMatchObject(timedOut)
    await aborted(main)
  })

  it('holds for a promise, from when it is given', async () => {
    const { api, main } = sessions()
    const work = api.work()
    await expect(plain(withOptions(work, { timeout: 10 }))).rejects.toMatchObject(timedOut)
    await until(() => main.signal !== undefined)
    expect(main.signal?.aborted).toBe(false) // others may wait for it
    work[Symbol.dispose]()
    await aborted(main)
  })

  it('holds for calls on what is promised', async () => {
    const { api } = sessions()
    using room = api.room()
    await expect(plain(withOptions(room, { timeout: 10 }).work())).rejects.toMatchObject(timedOut)
  })

  it('is told to the callee, as far as it lies from then on', async () => {
    const { api, main } = sessions()
    const before = performance.now()
    using patient = withOptions(api, { timeout: 60_000 })
    expect(await patient.now()).toBe('now')
    const { deadline } = main.context as CallContext
    expect(deadline).toBeGreaterThan(before + 59_000)
    expect(deadline).toBeLessThanOrEqual(performance.now() + 60_001)
    await api.now()
    expect(main.context?.deadline).toBeUndefined()
  })

  it.each([Number.POSITIVE_INFINITY, 2 ** 31])('of %d ms is none', async (timeout) => {
    const { api, main } = sessions()
    using patient = withOptions(api, { timeout })
    expect(await patient.now()).toBe('now')
    expect(main.context?.deadline).toBeUndefined()
  })

  it('leaves no timer behind, neither here nor at the callee', async () => {
    const { api } = sessions()
    using patient = withOptions(api, { timeout: 1_000_000 })
    await api.now()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }) // counted are those that begin from here on
    onTestFinished(() => void vi.useRealTimers())
    await patient.now()
    expect(vi.getTimerCount()).toBe(0)
    const left = patient.work()
    await until(() => vi.getTimerCount() === 2)
    left[Symbol.dispose]()
    await until(() => vi.getTimerCount() === 0)
  })

  it('does not abort the signal of a call that has ended', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const { api, main } = sessions()
    using patient = withOptions(api, { timeout: 100 })
    main.leave.open('done')
    expect(await patient.untouched()).toBe('done')
    const signal = main.context?.signal
    vi.advanceTimersByTime(1000)
    expect(signal?.aborted).toBe(false)
  })

  it('aborts the signal of the callee when it passes there, also where the caller says nothing', async () => {
    const { api, main } = sessions()
    using hurried = withOptions(api, { timeout: 20 })
    const rejected = expect(plain(hurried.work())).rejects.toMatchObject({ code: 'ERR_PILLION_TIMEOUT' })
    await aborted(main)
    await rejected
  })
})

describe('a signal', () => {
  it('rejects with its reason, and aborts the signal of the callee', async () => {
    const { api, main } = sessions()
    const controller = new AbortController()
    using bound = withOptions(api, { signal: controller.signal })
    const work = bound.work()
    await until(() => main.signal !== undefined)
    const reason = new Error('no longer wanted')
    controller.abort(reason)
    await expect(plain(work)).rejects.toBe(reason)
    expect(await aborted(main)).toMatchObject({ type: 'disconnected', message: 'the call was canceled' })
  })

  it('that is aborted already keeps a call from being made', async () => {
    const { api, main } = sessions()
    using bound = withOptions(api, { signal: AbortSignal.abort(new Error('before')) })
    await expect(plain(bound.now())).rejects.toThrow('before')
    expect(await api.echo('there')).toBe('there') // a round trip
    expect(main.context).toBeUndefined()
  })

  it('that is aborted already rejects a promise that is given it', async () => {
    const { api } = sessions()
    using work = api.work()
    await expect(plain(withOptions(work, { signal: AbortSignal.abort(new Error('before')) }))).rejects.toThrow('before')
  })

  it('keeps no listener once the call has returned', async () => {
    const { api } = sessions()
    const { signal } = new AbortController()
    using bound = withOptions(api, { signal, timeout: 1000 })
    await bound.now()
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('the signal of the callee', () => {
  it('is aborted when the promise of the call is disposed of', async () => {
    const { api, main } = sessions()
    const work = api.work()
    await until(() => main.signal !== undefined)
    work[Symbol.dispose]()
    expect(await aborted(main)).toMatchObject({ type: 'disconnected' })
  })

  it('is aborted when the connection is lost', async () => {
    const [a, b] = streamPair()
    const main = new Main()
    const client = new RpcSession<Main>(a)
    const server = new RpcSession(b, main)
    using api = client.getRemoteMain()
    const rejected = expect(plain(api.work())).rejects.toMatchObject({ type: 'disconnected' })
    await until(() => main.signal !== undefined)
    a.destroy()
    expect(await aborted(main)).toMatchObject({ type: 'disconnected' })
    await rejected
    await Promise.allSettled([server.closed]) // properly or not, by what it had received
  })

  it('passes a deadline on to the vat behind it', async () => {
    const [a, b] = MemoryTransport.pair()
    const [c, d] = MemoryTransport.pair()
    const main = new Main()
    const far = new RpcSession(d, main)
    const middle = new RpcSession<Main>(c)
    using through = middle.getRemoteMain()
    const near = new RpcSession(b, through)
    const client = new RpcSession<Main>(a)
    using api = client.getRemoteMain()
    using patient = withOptions(api, { timeout: 60_000 })
    expect(await patient.now()).toBe('now')
    expect(main.context?.deadline).toBeGreaterThan(performance.now() + 50_000)
    for (const session of [client, near, middle, far]) await session.close()
  })
})

describe('the longest deadline that a message can have', () => {
  const hurried = (method: string): Message => ({
    ...(call(1, 0, method, plainPayload([])) as Call),
    deadline: Number.MAX_SAFE_INTEGER,
  })

  it('is waited for by timers that last, and not by one after the other', async () => {
    const main = new Main()
    const peer = new ScriptedPeer(main)
    const timers = vi.spyOn(globalThis, 'setTimeout')
    onTestFinished(() => timers.mockRestore())
    await peer.say({ type: 'bootstrap', questionId: 0 }, hurried('work'))
    expect(main.signal?.aborted).toBe(false)
    expect(timers.mock.calls.map(([, delay]) => delay)).toEqual([0x7fff_ffff])
    main.leave.open('done')
    await peer.close()
  })

  it('is passed on as no longer one', async () => {
    const [a, b] = MemoryTransport.pair()
    const far = new RpcSession(b, new Main())
    const middle = new RpcSession<Main>(a)
    using through = middle.getRemoteMain()
    const peer = new ScriptedPeer(through)
    await peer.say({ type: 'bootstrap', questionId: 0 })
    const clock = vi.spyOn(performance, 'now').mockReturnValue(2.5) // the sum is rounded up, and the difference too
    onTestFinished(() => clock.mockRestore())
    const said = await peer.say(hurried('now'))
    expect(said).toMatchObject([{ type: 'return', outcome: { kind: 'results' } }])
    await peer.close()
    await middle.close()
    await far.closed
  })
})

describe('withOptions', () => {
  it.each([{ timeout: 0 }, { timeout: -1 }, { timeout: Number.NaN }, { timeout: '5' }, { signal: {} }])(
    'refuses %j',
    (options) => {
      const { api } = sessions()
      expect(() => withOptions(api, options as CallOptions)).toThrow(/timeout|signal/)
    },
  )

  it('refuses what is no stub', () => {
    expect(() => withOptions({}, { timeout: 5 })).toThrow('a stub')
  })
})

describe('a method that goes on though nobody waits', () => {
  class Deaf extends RpcTarget {
    file: Descriptor | undefined
    begun = 0
    goOn = (): void => {}

    async hold(file: Descriptor, callback: (text: string) => void): Promise<string> {
      this.file = file
      this.begun++
      await new Promise<void>((resolve) => {
        this.goOn = resolve
      })
      return `${file.closed} ${typeof callback}`
    }
  }

  const ways = {
    'that was canceled': (_session, abort) => abort.abort(new Error('enough')),
    'whose caller has gone': (session) => void session.close(),
  } satisfies Record<string, (session: RpcSession<Deaf>, abort: AbortController) => void>

  it.each(Object.entries(ways))('has what it was given until it ends, and not longer: %s', async (_, end) => {
    const main = new Deaf()
    const { client, server, api } = rpcPair(main)
    const abort = new AbortController()
    using bound = withOptions(api, { signal: abort.signal })
    using file = Descriptor.memfd(new Uint8Array(1))
    const holding = plain(bound.hold(file, () => {}))
    holding.catch(() => {}) // what it rejects with is looked at below
    await until(() => main.begun === 1)
    end(client as never, abort)
    await expect(holding).rejects.toThrow()
    expect(main.file?.closed).toBe(false)
    main.goOn()
    await until(() => main.file?.closed === true)
    await until(() => server.getStats().imports === 0)
  })
})
