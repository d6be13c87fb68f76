import { describe, expect, test } from 'vitest'
import { callContext, RpcSession, RpcStub, RpcTarget } from '../../src/rpc/index.js'
import { pair } from '../../src/stream/index.js'
import { nothingLeft, rpcPair } from '../support/rpc-pairs.js'
import { turns, until } from '../support/streams.js'
import { startChild } from '../transport/children/run.js'

class Thing extends RpcTarget {
  disposed = 0
  readonly name: string

  constructor(name = 'thing') {
    super()
    this.name = name
  }

  hello() {
    return `hello from ${this.name}`
  }

  [Symbol.dispose]() {
    this.disposed++
  }
}

class Main extends RpcTarget {
  readonly things: Thing[] = []
  kept: RpcStub<Thing> | undefined
  aborted: unknown
  ended = 0

  make(name?: string) {
    const thing = new Thing(name)
    this.things.push(thing)
    return thing
  }

  makeMany(count: number) {
    return { things: Array.from({ length: count }, (_, i) => this.make(`${i}`)), count }
  }

  async use(given: Thing) {
    const thing = given as never as RpcStub<Thing>
    await turns()
    return await thing.hello()
  }

  keep(thing: Thing) {
    this.kept = (thing as never as RpcStub<Thing>).dup()
  }

  keepWithout(thing: Thing) {
    this.kept = thing as never
  }

  hang() {
    const { signal } = callContext()
    return new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        this.aborted = signal.reason
        reject(signal.reason)
      })
    })
  }

  async slow() {
    await turns()
    this.ended++
    return 'done'
  }

  fail() {
    const thing = this.make()
    throw Object.assign(new Error('with a thing'), { cause: { thing } })
  }
}

/** A promise of the language's: to `expect`, what an RpcPromise is would be a function. */
async function awaited<T>(promise: PromiseLike<T>): Promise<T> {
  return await promise
}

describe('an argument', () => {
  test('is the callee’s until its call ends', async () => {
    const main = new Main()
    const { api, client } = rpcPair(main)
    const mine = new Thing('mine')
    expect(await api.use(mine)).toBe('hello from mine')
    await until(() => mine.disposed === 1, 'the last stub to be gone')
    await api.keepWithout(mine)
    await turns()
    await expect(awaited((main.kept as RpcStub<Thing>).hello())).rejects.toMatchObject({ code: 'ERR_PILLION_CLOSED' })
    await nothingLeft(client)
  })

  test('lives on in a dup, and is disposed of with that', async () => {
    const main = new Main()
    const { api, client } = rpcPair(main)
    const mine = new Thing('mine')
    await api.keep(mine)
    await turns()
    expect(mine.disposed).toBe(0)
    expect(await main.kept?.hello()).toBe('hello from mine')
    main.kept?.[Symbol.dispose]()
    await until(() => mine.disposed === 1, 'the last stub to be gone')
    await nothingLeft(client)
  })

  test('that is a stub stays its caller’s', async () => {
    const { api, client } = rpcPair(new Main())
    const target = new Thing('kept here')
    using mine = new RpcStub(target)
    await api.use(mine)
    await api.use(mine)
    await turns()
    expect(target.disposed).toBe(0)
    expect(await mine.hello()).toBe('hello from kept here')
    await nothingLeft(client)
    mine[Symbol.dispose]()
    expect(target.disposed).toBe(1)
  })

  test('of a call that fails before it leaves is let go of', async () => {
    const { api, client } = rpcPair(new Main())
    const mine = new Thing()
    await expect(awaited(api.use([mine, Symbol('no')] as never))).rejects.toThrow('args[0][1]')
    await nothingLeft(client)
    expect(mine.disposed).toBe(1)
  })
})

describe('a result', () => {
  test('is its caller’s with all that is in it', async () => {
    const main = new Main()
    const { api, client } = rpcPair(main)
    {
      using many = await api.makeMany(3)
      expect(await many.things[1]?.hello()).toBe('hello from 1')
      await turns()
      expect(main.things.map(({ disposed }) => disposed)).toEqual([0, 0, 0])
    }
    await until(() => main.things.every(({ disposed }) => disposed === 1), 'all to be disposed of')
    await nothingLeft(client)
  })

  test('that is disposed of unawaited is let go of, before and after it arrives', async () => {
    const main = new Main()
    const { api, client } = rpcPair(main)
    api.make()[Symbol.dispose]()
    const arrived = api.make()
    await turns()
    arrived[Symbol.dispose]()
    await nothingLeft(client)
    await until(() => main.things.every(({ disposed }) => disposed === 1), 'all to be disposed of')
    expect(main.things.length).toBeGreaterThan(0)
  })

  test('that was awaited outlives the promise', async () => {
    const { api } = rpcPair(new Main())
    const promise = api.make('kept')
    using thing = await promise
    promise[Symbol.dispose]()
    expect(await thing.hello()).toBe('hello from kept')
  })

  test('of data has a dispose that does nothing', async () => {
    const { api } = rpcPair(new Main())
    using many = await api.makeMany(0)
    expect(many.count).toBe(0)
    expect(Object.keys(many)).toEqual(['things', 'count'])
  })

  test('is the caller’s even if two await it', async () => {
    const main = new Main()
    const { api, client } = rpcPair(main)
    const promise = api.make('shared')
    const [first, second] = await Promise.all([promise, promise])
    expect(first).toBe(second)
    first[Symbol.dispose]()
    await until(() => main.things[0]?.disposed === 1, 'it to be disposed of')
    await nothingLeft(client)
  })

  test('in an error is let go of by nobody: errors bear none', async () => {
    const main = new Main()
    const { api, client } = rpcPair(main)
    const error: unknown = await awaited(api.fail()).catch((thrown) => thrown)
    expect(error).toMatchObject({ type: 'failed', message: 'with a thing' })
    await nothingLeft(client)
  })
})

describe('a dispose', () => {
  test('of a promise cancels its call', async () => {
    const main = new Main()
    const { api, client } = rpcPair(main)
    const call = api.hang() as never as Disposable
    await turns()
    call[Symbol.dispose]()
    await until(() => main.aborted !== undefined, 'the signal to be aborted')
    await nothingLeft(client)
  })

  test('of a promise that is awaited leaves its call alone', async () => {
    const main = new Main()
    const { api } = rpcPair(main)
    const call = api.slow()
    const value = call.then((result) => result)
    call[Symbol.dispose]()
    expect(await value).toBe('done')
  })

  test('of a stub leaves calls that are under way alone', async () => {
    const main = new Main()
    const { api } = rpcPair(main)
    const stub = api.dup()
    const call = stub.slow()
    stub[Symbol.dispose]()
    expect(await call).toBe('done')
  })

  test('of one stub leaves its duplicates alone, and doing it twice is once', async () => {
    const main = new Main()
    const { api, client } = rpcPair(main)
    const first = await api.make()
    const second = first.dup()
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    expect(await second.hello()).toBe('hello from thing')
    second[Symbol.dispose]()
    await until(() => main.things[0]?.disposed === 1, 'it to be disposed of')
    await nothingLeft(client)
  })

  test('leaves nothing to be done with a stub', async () => {
    const { api } = rpcPair(new Main())
    const stub = await api.make()
    const method = stub.hello
    stub[Symbol.dispose]()
    const closed = { code: 'ERR_PILLION_CLOSED' }
    await expect(awaited(stub.hello())).rejects.toMatchObject(closed)
    await expect(awaited(method())).rejects.toMatchObject(closed)
    await expect(awaited(api.use(stub))).rejects.toMatchObject({
      ...closed,
      message: expect.stringContaining('args[0]'),
    })
    expect(() => stub.dup()).toThrow('dup() it')
    expect(() => stub.onRpcBroken(() => {})).toThrow('dup() it')
  })

  test('that throws is an uncaught exception of the target’s vat, and harms no session', async () => {
    class Bad extends RpcTarget {
      [Symbol.dispose]() {
        throw new Error('cannot be disposed of')
      }
    }
    class Maker extends RpcTarget {
      make() {
        return new Bad()
      }
      hello() {
        return 'hello'
      }
    }
    const { api } = rpcPair(new Maker())
    const thrown: unknown[] = []
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.once('uncaughtException', (error) => thrown.push(error))
    const bad = await api.make()
    bad[Symbol.dispose]()
    await until(() => thrown.length === 1, 'the exception')
    for (const listener of listeners) process.on('uncaughtException', listener)
    expect(thrown).toMatchObject([{ message: 'cannot be disposed of' }])
    expect(await api.hello()).toBe('hello')
  })
})

describe('onRpcBroken', () => {
  test('tells once of a stub whose session has ended, with why', async () => {
    const [left, right] = pair()
    const client = new RpcSession<Main>(left)
    const server = new RpcSession(right, new Main())
    const api = client.getRemoteMain()
    const stub = await api.make()
    const told: unknown[] = []
    stub.onRpcBroken((error) => told.push(error))
    const pending = api.make()
    pending.onRpcBroken((error) => told.push(error))
    await pending
    await server.close()
    await until(() => told.length === 2, 'both to be told')
    expect(told).toMatchObject([{ type: 'disconnected' }, { type: 'disconnected' }])
    stub.onRpcBroken((error) => told.push(error))
    await until(() => told.length === 3, 'who asks afterwards to be told')
    await expect(awaited(stub.hello())).rejects.toMatchObject({ type: 'disconnected' })
    for (const each of [stub, api, pending]) each[Symbol.dispose]()
    await client.close()
  })

  test('tells of a promise that fails', async () => {
    const { api } = rpcPair(new Main())
    const told: unknown[] = []
    const call = api.fail() as never as RpcStub<Thing>
    call.onRpcBroken((error) => told.push(error))
    await until(() => told.length === 1, 'it to be told')
    expect(told).toMatchObject([{ message: 'with a thing' }])
  })

  test('never tells of an object of one’s own', async () => {
    const told: unknown[] = []
    using stub = new RpcStub(new Thing())
    stub.onRpcBroken((error) => told.push(error))
    await turns()
    expect(told).toEqual([])
  })
})

test('what is forgotten is released by the collector, a stub with a warning', async () => {
  const child = startChild('../../rpc/children/forgetful.ts')
  expect(await child.answer()).toEqual({
    disposed: { stub: 1, results: 1, stream: 1 },
    warnings: ['PILLION_FORGOTTEN_STUB'],
  })
  expect(await child.end()).toBe(0)
})
