/** dial: a stub that holds its session; and one that survives the loss of its connection. */
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  callContext,
  type DialOptions,
  dial,
  localTarget,
  type ReconnectOptions,
  type RpcServer,
  type RpcSession,
  type RpcStub,
  RpcTarget,
  serve,
} from '../../src/rpc/index.js'
import { type Address, listen } from '../../src/stream/index.js'
import { freshAddress, gate, plain, until } from './support/waiting.js'

class Counter extends RpcTarget {
  n = 0
  increment() {
    return ++this.n
  }
}

class Main extends RpcTarget {
  readonly calls: string[] = []
  readonly entered = gate()
  readonly leave = gate()
  record(what: string) {
    this.calls.push(what)
    return what
  }
  counter() {
    return new Counter()
  }
  async work() {
    this.calls.push('work')
    this.entered.open()
    await this.leave.promise
  }
  itself() {
    return this
  }
  isItself(other: unknown) {
    return localTarget(other) === this
  }
  callerSays() {
    return (callContext().session as RpcSession<{ name(): string }>).getRemoteMain().name()
  }
}

async function serving(main: object, address: Address = freshAddress()): Promise<RpcServer> {
  const server = await serve(address, main)
  onTestFinished(() => server.close())
  return server
}

async function dialed(address: Address, options?: DialOptions): Promise<RpcStub<Main>> {
  const api = await dial<Main>(address, options)
  onTestFinished(() => api[Symbol.dispose]())
  return api
}

/** Dialed with `reconnect`; and its server has ended the session, which it knows. */
async function bereft(server: RpcServer, reconnect: ReconnectOptions = {}): Promise<RpcStub<Main>> {
  const lost = gate<Error>()
  const api = await dialed(server.address, { reconnect: { ...reconnect, onLost: lost.open } })
  await api.record('before')
  await server.close()
  await lost.promise
  return api
}

const disconnected = { code: 'ERR_PILLION_RPC', type: 'disconnected' }

describe('dial', () => {
  it('rejects as connect does', async () => {
    await expect(dial(freshAddress())).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(dial('@x', { keepAlive: -1 })).rejects.toMatchObject({ code: 'ERR_PILLION_USAGE' })
    await expect(dial(freshAddress(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('gives a stub whose disposal ends the session', async () => {
    const server = await serving(new Main())
    const api = await dial<Main>(server.address)
    expect(await api.record('hello')).toBe('hello')
    expect(server.sessions.size).toBe(1)
    api[Symbol.dispose]()
    await until(() => server.sessions.size === 0)
    await expect(plain(api.record('more'))).rejects.toMatchObject({ code: 'ERR_PILLION_CLOSED' })
  })

  it('keeps the session for as long as a dup of the stub is left', async () => {
    const server = await serving(new Main())
    const api = await dial<Main>(server.address)
    const other = api.dup()
    api[Symbol.dispose]()
    expect(await other.record('hello')).toBe('hello')
    other[Symbol.dispose]()
    await until(() => server.sessions.size === 0)
  })

  it('rejects what is under way when the stub is disposed of', async () => {
    const main = new Main()
    const server = await serving(main)
    const api = await dial<Main>(server.address)
    const rejected = expect(plain(api.work())).rejects.toMatchObject(disconnected)
    await main.entered.promise
    api[Symbol.dispose]()
    await rejected
    main.leave.open()
  })

  it('knows the main object when it comes home', async () => {
    const main = new Main()
    const api = await dialed((await serving(main)).address)
    expect(await api.isItself(api)).toBe(true)
    using itself = await api.itself()
    expect(await api.isItself(itself)).toBe(true)
  })

  it('offers a main of its own', async () => {
    const server = await serving(new Main())
    class Caller extends RpcTarget {
      name() {
        return 'the caller'
      }
    }
    const api = await dialed(server.address, { main: new Caller() })
    expect(await api.callerSays()).toBe('the caller')
  })

  it('ends by its signal', async () => {
    const server = await serving(new Main())
    const controller = new AbortController()
    const api = await dialed(server.address, { signal: controller.signal })
    await api.record('hello')
    controller.abort(new Error('enough'))
    await expect(plain(api.record('more'))).rejects.toMatchObject(disconnected)
    await until(() => server.sessions.size === 0)
  })

  it('stays broken when the connection is lost', async () => {
    const server = await serving(new Main())
    const api = await dialed(server.address)
    await api.record('hello')
    const broken = gate<Error>()
    api.onRpcBroken(broken.open)
    await server.close()
    expect(await broken.promise).toMatchObject(disconnected)
    await serving(new Main(), server.address)
    await expect(plain(api.record('more'))).rejects.toMatchObject(disconnected)
  })
})

describe('dial with reconnect', () => {
  it('makes a new session with the next call, and says what was lost', async () => {
    const first = await serving(new Main())
    const lost: Error[] = []
    let reconnects = 0
    const api = await dialed(first.address, {
      reconnect: { onLost: (error) => lost.push(error), onReconnect: () => reconnects++ },
    })
    using counter = await api.counter()
    const broken = gate<Error>()
    counter.onRpcBroken(broken.open)

    await first.close()
    expect(await broken.promise).toMatchObject(disconnected)
    await until(() => lost.length > 0)
    expect(lost).toEqual([expect.objectContaining(disconnected)])
    const main = new Main()
    const second = await serving(main, first.address)
    expect(second.sessions.size).toBe(0) // nothing is done while nobody calls
    expect(await api.record('again')).toBe('again')
    expect(main.calls).toEqual(['again'])
    expect(reconnects).toBe(1)
    await expect(plain(counter.increment())).rejects.toMatchObject(disconnected)
    expect(second.sessions.size).toBe(1)
    api[Symbol.dispose]()
    await until(() => second.sessions.size === 0)
  })

  it('rejects calls under way, and never makes them again', async () => {
    const main = new Main()
    const server = await serving(main)
    const api = await dialed(server.address, { reconnect: true })
    const rejected = expect(plain(api.work())).rejects.toMatchObject(disconnected)
    await main.entered.promise
    const [session] = server.sessions
    await session?.close()
    await rejected // and with it the loss is known
    expect(await api.record('next')).toBe('next')
    expect(main.calls).toEqual(['work', 'next'])
    main.leave.open()
  })

  it('makes the calls that waited for the connection in their order, behind those of onReconnect', async () => {
    const first = await serving(new Main())
    const api = await bereft(first, {
      delay: 1,
      maxDelay: 1,
      attempts: 1e6,
      onReconnect: (main) => void (main as RpcStub<Main>).record('login'),
    })
    const calls = ['a', 'b', 'c'].map((what) => api.record(what))
    const main = new Main()
    await serving(main, first.address)
    expect(await Promise.all(calls)).toEqual(['a', 'b', 'c'])
    expect(main.calls).toEqual(['login', 'a', 'b', 'c'])
  })

  it('gives up after so many attempts, and begins anew with the next call', async () => {
    const first = await serving(new Main())
    const api = await bereft(first, { attempts: 3, delay: 1, maxDelay: 1 })
    await expect(plain(api.record('lost'))).rejects.toMatchObject({
      ...disconnected,
      message: expect.stringContaining('3 attempts'),
      cause: { code: 'ECONNREFUSED' },
    })
    await serving(new Main(), first.address)
    expect(await api.record('found')).toBe('found')
  })

  it('tries again when a server accepts and turns away', async () => {
    const first = await serving(new Main())
    const api = await bereft(first, { attempts: 1e6, delay: 1, maxDelay: 1 })
    let turnedAway = 0
    const rude = await listen(first.address)
    rude.on('connection', (stream) => {
      stream.destroy()
      if (++turnedAway === 2) void rude.close()
    })
    const call = api.record('at last')
    await until(() => rude.closed)
    await serving(new Main(), first.address)
    expect(await call).toBe('at last')
    expect(turnedAway).toBe(2)
  })

  it('reconnects for a call from within onRpcBroken and onLost', async () => {
    const server = await serving(new Main())
    const again: Promise<string>[] = []
    const api: RpcStub<Main> = await dialed(server.address, {
      reconnect: { onLost: () => again.push(api.record('from onLost')) },
    })
    using counter = await api.counter()
    counter.onRpcBroken(() => again.push(api.record('from onRpcBroken')))
    const [session] = server.sessions
    await session?.close()
    await until(() => again.length === 2)
    expect((await Promise.all(again)).sort()).toEqual(['from onLost', 'from onRpcBroken'])
    expect(server.sessions.size).toBe(1)
  })

  it('rejects calls that wait when the stub is disposed of', async () => {
    const api = await bereft(await serving(new Main()), { attempts: 1e6, delay: 1e6, maxDelay: 1e6 })
    const call = expect(plain(api.record('waits'))).rejects.toMatchObject(disconnected)
    await new Promise((resolve) => setImmediate(resolve))
    api[Symbol.dispose]()
    await call
  })

  it('is over when its signal is aborted', async () => {
    const server = await serving(new Main())
    const controller = new AbortController()
    const lost = gate<Error>()
    const api = await dialed(server.address, { reconnect: { onLost: lost.open }, signal: controller.signal })
    await api.record('hello')
    const [session] = server.sessions
    await session?.close()
    await lost.promise
    await api.record('again')
    controller.abort(new Error('enough'))
    await expect(plain(api.record('more'))).rejects.toMatchObject({ ...disconnected, message: 'enough' })
    await until(() => server.sessions.size === 0)
  })

  it.each([
    [{ attempts: 0 }, '@x'],
    [{ delay: Number.NaN }, '@x'],
    [true, { fd: 3 }],
  ] as const)('refuses %j of %j', async (reconnect, address) => {
    await expect(dial(address, { reconnect })).rejects.toMatchObject({ code: 'ERR_PILLION_USAGE' })
  })
})
