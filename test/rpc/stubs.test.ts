import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { localTarget, RpcError, RpcPromise, RpcSession, RpcStub, RpcTarget } from '../../src/rpc/index.js'
import { pair } from '../../src/stream/index.js'
import { nothingLeft, rpcPair } from '../support/rpc-pairs.js'
import { turns } from '../support/streams.js'

class Counter extends RpcTarget {
  #count = 0
  readonly own = 'out of reach'

  increment(by = 1) {
    this.#count += by
    return this.#count
  }

  get value() {
    return this.#count
  }

  get broken(): number {
    throw new RangeError('no value')
  }
}

class Main extends RpcTarget {
  readonly counter = new Counter()
  calls = 0

  getCounter() {
    this.calls++
    return this.counter
  }

  get nested() {
    return { counter: this.counter, list: [{ name: 'first' }], none: null }
  }

  echo(value: unknown) {
    return value
  }

  nothing() {}

  async later(value: unknown) {
    await turns()
    return value
  }

  apply(fn: (...args: number[]) => unknown, ...args: number[]) {
    return fn(...args)
  }

  makeAdder(by: number) {
    return (x: number) => x + by
  }

  fail(kind: string) {
    if (kind === 'type') throw Object.assign(new TypeError('wrong'), { code: 'EWRONG' })
    if (kind === 'overloaded') throw new RpcError('overloaded', 'later')
    throw kind
  }

  map(text: string) {
    return `mapped ${text}`
  }

  finally() {
    return 'a method of this name'
  }
}

const mainPair = () => rpcPair(new Main(), { over: 'memory' })

/** A promise of the language's: to `expect`, what an RpcPromise is would be a function. */
async function awaited<T>(promise: PromiseLike<T>): Promise<T> {
  return await promise
}

describe('a stub', () => {
  test('is no promise: it can be returned from an async function', async () => {
    const { api } = mainPair()
    const passed = await (async () => api)()
    expect(passed).toBe(api)
    expect((api as { then?: unknown }).then).toBeUndefined()
    expect(await api.echo(1)).toBe(1)
  })

  test('is told by instanceof, and says what it is', async () => {
    const { api } = mainPair()
    using counter = await api.getCounter()
    const promise = api.echo(1)
    expect(counter).toBeInstanceOf(RpcStub)
    expect(counter).not.toBeInstanceOf(RpcPromise)
    expect(promise).toBeInstanceOf(RpcPromise)
    expect(api.nested.counter).toBeInstanceOf(RpcPromise)
    expect(inspect(counter)).toBe('RpcStub {}')
    expect(inspect(promise)).toBe('RpcPromise {}')
    expect(`${counter as unknown as string}`).toBe('[RpcStub]')
    expect(Object.prototype.toString.call(counter)).toBe('[object RpcStub]')
    counter[Symbol.dispose]()
    expect(inspect(counter)).toBe('RpcStub { disposed }')
    await promise
  })

  test('has the properties of the other side, as far along a path as one likes', async () => {
    const { api } = mainPair()
    expect(await api.nested.list[0]?.name).toBe('first')
    expect(await api.nested.counter.increment(3)).toBe(3)
    expect(await api.nested.counter.value).toBe(3)
    expect(await api.nested.none).toBe(null)
    const missing = awaited((api.nested as never as { missing: PromiseLike<unknown> }).missing)
    await expect(missing).rejects.toMatchObject({ type: 'unimplemented', message: 'there is no nested.missing' })
    await expect(awaited((api.nested as never as { a: { b: never } }).a.b)).rejects.toBeInstanceOf(RpcError)
  })

  test('of a method is a function that knows its object', async () => {
    const { api, client } = mainPair()
    using increment = (await (api.nested.counter as never as { increment: unknown }).increment) as ((
      by: number,
    ) => Promise<number>) &
      Disposable
    expect(increment).toBeInstanceOf(RpcStub)
    expect(await increment(2)).toBe(2)
    expect(await increment(2)).toBe(4)
    increment[Symbol.dispose]()
    await nothingLeft(client)
  })

  test('reaches neither own properties, private ones nor what every object has', async () => {
    const { api } = mainPair()
    using counter = (await api.getCounter()) as never as Record<string, () => Promise<unknown>> & Disposable
    for (const name of ['own', 'constructor', 'hasOwnProperty', '__proto__', 'toString', 'valueOf']) {
      const call = Promise.resolve((counter[name] as () => Promise<unknown>)())
      await expect(call).rejects.toMatchObject({ type: 'unimplemented' })
    }
  })

  test('has no properties of its own to set', () => {
    const { api } = mainPair()
    expect(() => {
      ;(api as never as { x: number }).x = 1
    }).toThrow('x cannot be set')
    expect(() => new (api as never as new () => unknown)()).toThrow('not a constructor')
  })

  test('keeps `dup` and `onRpcBroken` for itself; a promise keeps `then`, `catch`, `finally` and `map` as well', async () => {
    const { api } = mainPair()
    // Of a stub, map and finally are the other side's.
    const named = api as never as { map(text: string): Promise<string>; finally(): Promise<string> }
    expect(await named.map('x')).toBe('mapped x')
    expect(await named.finally()).toBe('a method of this name')
    using duplicate = api.dup()
    expect(await duplicate.echo(1)).toBe(1)
    let settled = 0
    await api.echo(1).finally(() => settled++)
    expect(settled).toBe(1)
    expect(await api.fail('type').catch((error: Error) => error.message)).toBe('wrong')
  })

  test('of a stub is a stub of the same', async () => {
    const { api, client } = mainPair()
    using mine = new RpcStub(new Counter())
    using again = new RpcStub(mine as never as Counter)
    expect(localTarget(again)).toBe(localTarget(mine))
    expect(await again.increment(2)).toBe(2)
    using back = (await api.echo(mine)) as never as RpcStub<Counter>
    expect(localTarget(back)).toBe(localTarget(mine))
    expect(await back.increment(2)).toBe(4)
    back[Symbol.dispose]()
    await nothingLeft(client)
  })

  test('comes home as the object that it stands for', async () => {
    const { api } = mainPair()
    const mine = new Counter()
    using held = (await api.echo({ deep: [mine] })) as never as { deep: RpcStub<Counter>[] } & Disposable
    expect(localTarget(held.deep[0])).toBe(mine)
    using theirs = await api.getCounter()
    expect(localTarget(theirs)).toBeUndefined()
    expect(localTarget('no stub')).toBeUndefined()
  })
})

describe('functions', () => {
  test('are passed both ways, and called with `this` left out', async () => {
    const { api, client } = mainPair()
    expect(await api.apply((a, b) => (a as number) + (b as number), 1, 2)).toBe(3)
    using add = (await api.makeAdder(10)) as never as ((x: number) => Promise<number>) & Disposable
    expect(await add(5)).toBe(15)
    expect(await api.apply(add as never, 7)).toBe(17)
    add[Symbol.dispose]()
    await nothingLeft(client)
  })

  test('that are async, or throw, do so for their caller', async () => {
    const { api } = mainPair()
    expect(await api.apply(async () => 'later')).toBe('later')
    const thrown = awaited(
      api.apply(() => {
        throw new SyntaxError('in the callback')
      }),
    )
    await expect(thrown).rejects.toThrow('in the callback')
  })
})

describe('a promise', () => {
  test('may be awaited twice, and gives the same value', async () => {
    const { api } = mainPair()
    const promise = api.later({ a: 1 })
    const first = await promise
    expect(await promise).toBe(first)
    expect(await Promise.all([promise, promise, api.echo(2)])).toEqual([first, first, 2])
  })

  test('is undefined for a method that returns nothing', async () => {
    const { api } = mainPair()
    expect(await api.nothing()).toBeUndefined()
  })

  test('is passed as an argument before and after it is fulfilled', async () => {
    const main = new Main()
    const { api } = rpcPair(main, { over: 'memory' })
    expect(await api.echo([api.later('early')])).toEqual(['early'])
    const done = api.echo({ a: [1, 'two'] })
    await done
    const before = main.calls
    expect(await api.echo(done)).toEqual({ a: [1, 'two'] })
    expect(await api.echo([(done as never as { a: unknown[] }).a[1]])).toEqual(['two'])
    expect(main.calls).toBe(before)
    using counter = api.getCounter()
    await turns()
    using back = (await api.echo(counter)) as never as RpcStub<Counter>
    expect(await back.increment(1)).toBe(1)
  })

  test('that is fulfilled is passed as its value, with no question back', async () => {
    const [left, right] = pair()
    const client = new RpcSession<Main>(left)
    const server = new RpcSession(right, new Main())
    using api = client.getRemoteMain()
    using done = api.echo('here')
    await done
    await turns()
    const { frames } = right.stats.sent
    await api.echo(done)
    expect(right.stats.sent.frames - frames).toBe(1) // the return, and no `get`
    await client.close()
    await server.close()
  })

  test('of what fails tells type, message and cause, and so does all that is called on it', async () => {
    const { api } = mainPair()
    await expect(awaited(api.fail('type'))).rejects.toMatchObject({
      name: 'RpcError',
      type: 'failed',
      message: 'wrong',
      origin: 'remote',
      cause: { name: 'TypeError', message: 'wrong', code: 'EWRONG' },
    })
    const error: unknown = await awaited(api.fail('type')).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(RpcError)
    expect((error as Error).cause).toBeInstanceOf(TypeError)
    await expect(awaited(api.fail('overloaded'))).rejects.toMatchObject({ type: 'overloaded', message: 'later' })
    await expect(awaited(api.fail('a string'))).rejects.toMatchObject({ type: 'failed', message: 'a string' })
    const deeper = api.fail('type') as never as { a: { b(): Promise<never> } }
    await expect(awaited(deeper.a.b())).rejects.toMatchObject({ message: 'wrong' })
    await expect(awaited(api.echo(deeper))).rejects.toMatchObject({ message: 'wrong' })
    await expect(awaited(api.nested.counter.broken)).rejects.toMatchObject({ message: 'no value' })
  })

  test('that fails and is not awaited is no unhandled rejection', async () => {
    const { api } = mainPair()
    const unhandled: unknown[] = []
    const listen = (reason: unknown) => void unhandled.push(reason)
    process.on('unhandledRejection', listen)
    api.fail('type')
    await turns()
    process.off('unhandledRejection', listen)
    expect(unhandled).toEqual([])
  })
})

test('a result that is asked for late is what was returned, whatever was received since', async () => {
  const { api } = rpcPair(new Main())
  const early = api.echo(['early'.repeat(100)])
  for (let i = 0; i < 500; i++) await api.echo('late!'.repeat(100))
  expect(await early).toEqual(['early'.repeat(100)])
})

test('a stub has the same method each time, of the first 64 names that it is asked for', () => {
  const api = rpcPair(new Main()).api as unknown as Record<string, unknown>
  const names = Array.from({ length: 65 }, (_, i) => `method${i}`)
  const first = names.map((name) => api[name])
  expect(names.filter((name, i) => api[name] !== first[i])).toEqual(['method64'])
})
