/** The limits of RpcOptions: each is met at the end that it protects, and told of by a typed error at the caller. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryTransport, type RpcLimits, RpcSession, RpcStub, RpcTarget } from '../../src/rpc/index.js'
import { pair } from '../../src/stream/index.js'
import { gate, plain, until } from './support/waiting.js'

class Thing extends RpcTarget {
  get large() {
    return new Uint8Array(90_000)
  }
  ping(_value?: unknown) {
    return 'pong'
  }
}

class Main extends RpcTarget {
  readonly leave = gate()
  entered = 0
  left = 0
  readonly kept: Disposable[] = []
  async work() {
    this.entered++
    await this.leave.promise
    this.left++
    return 'done'
  }
  /** Has its arguments until it ends. */
  hold(..._values: unknown[]) {
    return this.work()
  }
  async read(stream: ReadableStream<Uint8Array>) {
    let bytes = 0
    for await (const chunk of stream) bytes += chunk.length
    return bytes
  }
  bytes(length: number) {
    return new Uint8Array(length)
  }
  async thing() {
    await this.leave.promise
    return new Thing()
  }
  things(count: number) {
    return Array.from({ length: count }, () => new Thing())
  }
  keep(...things: { dup(): Disposable }[]) {
    this.kept.push(...things.map((thing) => thing.dup()))
  }
  take(value: unknown) {
    return typeof value
  }
  nested(depth: number) {
    let value: unknown = 0
    for (let i = 0; i < depth; i++) value = [value]
    return value
  }
  many(count: number) {
    return Array.from({ length: count }, (_, i) => i)
  }
}

function sessions(limits: { readonly client?: Partial<RpcLimits>; readonly server?: Partial<RpcLimits> }) {
  const [a, b] = MemoryTransport.pair()
  const main = new Main()
  const client = new RpcSession<Main>(a, {}, limits.client === undefined ? {} : { limits: limits.client })
  const server = new RpcSession(b, main, limits.server === undefined ? {} : { limits: limits.server })
  const api = client.getRemoteMain()
  onTestFinished(async () => {
    for (const kept of main.kept) kept[Symbol.dispose]()
    main.leave.open()
    api[Symbol.dispose]()
    await client.close()
    await server.close()
  })
  return { client, server, main, api }
}

const overloaded = (limit: string) => ({
  code: 'ERR_PILLION_RPC',
  type: 'overloaded',
  message: expect.stringContaining(`limits.${limit}`),
})

describe('limits.calls', () => {
  it('refuses a call while so many are being served, and serves again when they have ended', async () => {
    const { api, main } = sessions({ server: { calls: 3 } })
    const work = [api.work(), api.work(), api.work()]
    await until(() => main.entered === 3)
    await expect(plain(api.take(1))).rejects.toMatchObject({ ...overloaded('calls'), origin: 'remote' })
    main.leave.open()
    expect(await Promise.all(work)).toEqual(['done', 'done', 'done'])
    expect(await api.take(1)).toBe('number')
  })

  it('counts calls that wait for one that is being served', async () => {
    const { api } = sessions({ server: { calls: 3 } })
    using thing = api.thing()
    const pings = [thing.ping(), thing.ping(), thing.ping()]
    const settled = Promise.allSettled(pings)
    await expect(plain(pings[2])).rejects.toMatchObject(overloaded('calls'))
    thing[Symbol.dispose]()
    void settled
  })
})

describe('limits.waitingCalls', () => {
  it('refuses at the callee a call that would wait for an answer as one too many', async () => {
    const { api, main } = sessions({ server: { waitingCalls: 2 } })
    using thing = api.thing()
    const pings = [thing.ping(), thing.ping()]
    await expect(plain(thing.ping())).rejects.toMatchObject({ ...overloaded('waitingCalls'), origin: 'remote' })
    main.leave.open()
    expect(await Promise.all(pings)).toEqual(['pong', 'pong'])
  })

  it('refuses at the caller a call that would wait for a return as one too many', async () => {
    const { api, main } = sessions({ client: { waitingCalls: 2 } })
    using thing = api.thing()
    await api.take(1) // the message has left: it says that nothing is called on its results, so calls wait here
    const pings = [thing.ping(), thing.ping()]
    await expect(plain(thing.ping())).rejects.toMatchObject({ ...overloaded('waitingCalls'), origin: 'local' })
    main.leave.open()
    expect(await Promise.all(pings)).toEqual(['pong', 'pong'])
  })
})

describe('limits.exports', () => {
  it('refuses at the caller to pass more objects than the peer may hold', async () => {
    const { api, client, main } = sessions({ client: { exports: 3 } })
    const things = [new Thing(), new Thing(), new Thing()]
    await api.keep(...(things as never[]))
    expect(client.getStats().exports).toBe(3)
    await expect(plain(api.keep(new Thing() as never))).rejects.toMatchObject({
      ...overloaded('exports'),
      origin: 'local',
    })
    await api.keep(...(things as never[])) // it holds these already
    for (const kept of main.kept.splice(0)) kept[Symbol.dispose]()
    await until(() => client.getStats().exports === 0)
    await api.keep(new Thing() as never)
  })

  it('refuses one value with more objects than there is room for', async () => {
    const { api, client } = sessions({ client: { exports: 3 } })
    await expect(plain(api.take([1, 2, 3, 4].map(() => new Thing())))).rejects.toMatchObject(overloaded('exports'))
    expect(client.getStats().exports).toBe(0)
  })

  it('lets what is the peer’s own pass', async () => {
    const { api } = sessions({ client: { exports: 1 }, server: { exports: 3 } })
    using things = await api.things(2)
    expect(await api.take([...things])).toBe('object')
  })

  it('refuses at the callee to return more', async () => {
    const { api } = sessions({ server: { exports: 3 } }) // one is main
    using things = await api.things(2)
    expect(things).toHaveLength(2)
    await expect(plain(api.things(1))).rejects.toMatchObject({ ...overloaded('exports'), origin: 'remote' })
    for (let i = 0; i < 3; i++) expect(await api.take(1)).toBe('number') // the refused call's number is free again
  })
})

describe('limits.imports', () => {
  it('refuses at the callee a call that passes more objects than it holds, and holds none of them', async () => {
    const { api, client, server, main } = sessions({ server: { imports: 3 } })
    const things = [new Thing(), new Thing(), new Thing()]
    await api.keep(...(things as never[]))
    expect(server.getStats().imports).toBe(3)
    await expect(plain(api.keep(new Thing() as never, new Thing() as never))).rejects.toMatchObject({
      ...overloaded('imports'),
      origin: 'remote',
    })
    expect(server.getStats().imports).toBe(3)
    expect(client.getStats().exports).toBe(3) // what was refused was given back
    await api.keep(...(things as never[])) // it holds these already
    for (const kept of main.kept.splice(0)) kept[Symbol.dispose]()
    await until(() => server.getStats().imports === 0 && client.getStats().exports === 0)
    await api.keep(new Thing() as never)
  })

  it('refuses at the caller a result with more, and gives it back', async () => {
    const { api, client, server } = sessions({ client: { imports: 3 } }) // one is main
    using things = await api.things(2)
    expect(things).toHaveLength(2)
    await expect(plain(api.things(2))).rejects.toMatchObject({ ...overloaded('imports'), origin: 'local' })
    await until(() => server.getStats().exports === 3)
    expect(client.getStats().imports).toBe(3)
    expect(await api.take(1)).toBe('number')
  })

  it('lets what is its own pass', async () => {
    const { api } = sessions({ client: { imports: 3 }, server: { imports: 1 } })
    using things = await api.things(2)
    expect(await api.take([...things])).toBe('object')
  })
})

describe('limits.callBytes', () => {
  const part = () => new Uint8Array(50_000)

  it('refuses a call while the arguments of others take so much, and serves again when these have ended', async () => {
    const { api, main } = sessions({ server: { callBytes: 100_000 } })
    const held = [api.hold(part()), api.hold(part())]
    await until(() => main.entered === 2)
    await expect(plain(api.take(part()))).rejects.toMatchObject({ ...overloaded('callBytes'), origin: 'remote' })
    expect(await api.take('small')).toBe('string') // it may be what lets the others end
    main.leave.open()
    expect(await Promise.all(held)).toEqual(['done', 'done'])
    expect(await api.take(part())).toBe('object')
  })

  it('lets one pass that is larger by itself', async () => {
    const { api } = sessions({ server: { callBytes: 100_000 } })
    expect(await api.take(new Uint8Array(1_000_000))).toBe('object')
    expect(await api.take(new Uint8Array(1_000_000))).toBe('object')
  })

  it('counts calls that wait for a promise, until they are canceled', async () => {
    const { api } = sessions({ server: { callBytes: 100_000 } })
    using thing = api.thing()
    const pings = [thing.ping(part()), thing.ping(part())]
    await expect(plain(api.take(part()))).rejects.toMatchObject(overloaded('callBytes'))
    for (const ping of pings) ping[Symbol.dispose]()
    expect(await api.take(part())).toBe('object')
  })

  it('counts a call that was canceled until its method has ended', async () => {
    const { api, main } = sessions({ server: { callBytes: 100_000 } })
    const held = [api.hold(part()), api.hold(part())]
    await until(() => main.entered === 2)
    for (const call of held) call[Symbol.dispose]()
    await expect(plain(api.take(part()))).rejects.toMatchObject(overloaded('callBytes'))
    main.leave.open()
    await until(() => main.left === 2)
    expect(await api.take(part())).toBe('object')
  })

  it('counts what was promised in arguments', async () => {
    const { api, main } = sessions({ server: { callBytes: 100_000 } })
    using mine = new RpcStub(new Thing())
    const held = api.hold(mine.large, mine.large)
    await until(() => main.entered === 1)
    await expect(plain(api.take(part()))).rejects.toMatchObject(overloaded('callBytes'))
    main.leave.open()
    expect(await held).toBe('done')
    expect(await api.take(part())).toBe('object')
  })

  it('fails a call that is promised more', async () => {
    const { api, main } = sessions({ server: { callBytes: 100_000 } })
    const held = [api.hold(part()), api.hold(part())]
    await until(() => main.entered === 2)
    await expect(plain(api.take(api.bytes(2000)))).rejects.toMatchObject(overloaded('callBytes'))
    main.leave.open()
    await Promise.all(held)
    expect(await api.take(api.bytes(2000))).toBe('object')
  })

  it('counts descriptors and objects, which take more than their bytes', async () => {
    const { api, main } = sessions({ server: { callBytes: 100_000 } })
    const things = Array.from({ length: 400 }, () => new Thing())
    const held = api.hold(things)
    await until(() => main.entered === 1)
    await expect(plain(api.take(part()))).rejects.toMatchObject(overloaded('callBytes'))
    main.leave.open()
    await held
  })

  it('lets the chunks of a stream pass, which wait in its window', async () => {
    const { api, main, server } = sessions({ server: { callBytes: 100_000 } })
    const chunks = gate<Uint8Array>()
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        controller.enqueue(await chunks.promise)
        controller.close()
      },
    })
    const read = api.read(stream)
    const held = [api.hold(part()), api.hold(part())]
    await until(() => main.entered === 2)
    await expect(plain(api.take(part()))).rejects.toMatchObject(overloaded('callBytes'))
    chunks.open(new Uint8Array(1000))
    main.leave.open()
    await Promise.all(held)
    expect(await read).toBe(1000)
    expect(server.getStats().imports).toBe(0)
  })
})

describe.each(['depth', 'values'] as const)('limits.%s', (name) => {
  const limit = 20
  const value = (size: number) => (name === 'depth' ? new Main().nested(size) : new Main().many(size))
  const result = (api: ReturnType<typeof sessions>['api'], size: number) =>
    name === 'depth' ? api.nested(size) : api.many(size)

  it('refuses at the caller, by the place, what is over it', async () => {
    const { api } = sessions({ client: { [name]: limit } })
    expect(await api.take(value(limit - 2))).toBe('object') // the arguments themselves are an array
    await expect(plain(api.take(value(limit + 1)))).rejects.toMatchObject({
      code: 'ERR_PILLION_USAGE',
      message: expect.stringMatching(new RegExp(`^args.*limits\\.${name}`)),
    })
  })

  it('fails at the callee a call whose arguments are over its own', async () => {
    const { api } = sessions({ server: { [name]: limit } })
    await expect(plain(api.take(value(limit + 1)))).rejects.toMatchObject({
      code: 'ERR_PILLION_RPC',
      type: 'failed',
      origin: 'remote',
      message: expect.stringContaining(`limits.${name}`),
    })
    expect(await api.take(1)).toBe('number')
  })

  it('fails at the callee a call whose result is over it', async () => {
    const { api } = sessions({ server: { [name]: limit } })
    await expect(plain(result(api, limit + 1))).rejects.toMatchObject({
      type: 'failed',
      origin: 'remote',
      message: expect.stringContaining(`limits.${name}`),
    })
  })

  it('refuses at the caller a result that is over its own', async () => {
    const { api } = sessions({ client: { [name]: limit } })
    await expect(plain(result(api, limit + 1))).rejects.toMatchObject({
      type: 'failed',
      message: expect.stringContaining(`limits.${name}`),
    })
    expect(await api.take(1)).toBe('number')
  })
})

describe('limits.queuedBytes', () => {
  it('ends a session whose peer does not read', async () => {
    const [near, far] = pair()
    onTestFinished(() => far.destroy())
    const session = new RpcSession<Main>(near, {}, { limits: { queuedBytes: 1024 * 1024 } })
    using api = session.getRemoteMain()
    const chunk = new Uint8Array(256 * 1024)
    const calls = Promise.allSettled(Array.from({ length: 20 }, () => api.take(chunk)))
    await expect(session.closed).rejects.toMatchObject({ ...overloaded('queuedBytes') })
    for (const outcome of await calls) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { type: 'disconnected', cause: { type: 'overloaded' } },
      })
    }
  })
})

describe('options', () => {
  it.each(['calls', 'callBytes', 'exports', 'imports', 'waitingCalls', 'queuedBytes', 'depth', 'values'])(
    'have a limits.%s from 1 on',
    (name) => {
      const [a] = MemoryTransport.pair()
      for (const wrong of [0, -1, Number.NaN, '10']) {
        expect(() => new RpcSession(a, {}, { limits: { [name]: wrong } })).toThrow(`limits.${name}`)
      }
    },
  )
})
