/**
 * Code of users' that throws where nobody expects it: in what is thrown, in what is returned, in what is called back. It
 * costs the call that it belongs to, and nothing else.
 */
import { describe, expect, it, onTestFinished } from 'vitest'
import { type RpcError, RpcStub, RpcTarget } from '../../src/rpc/index.js'
import { Descriptor } from '../../src/stream/index.js'
import { rpcPair } from '../support/rpc-pairs.js'
import { plain, until } from './support/waiting.js'

class Main extends RpcTarget {
  make: () => unknown = () => undefined
  give(): unknown {
    return this.make()
  }
  async giveLater(): Promise<unknown> {
    return this.make()
  }
  fail(): never {
    throw this.make()
  }
  async failLater(): Promise<never> {
    throw this.make()
  }
  thing() {
    return new Main()
  }
  wait() {
    return new Promise<never>(() => {})
  }
  take(_value: unknown) {}
}

function revoked<T extends object>(target: T): T {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

function withMessage(get: () => unknown): Error {
  return Object.defineProperty(new Error('x'), 'message', { get })
}

function refuse(): never {
  throw new Error('do not look')
}

/** Throws at every look, but for the first one at `then`. */
function touchy(target: object): object {
  return new Proxy(target, { get: (_target, key) => (key === 'then' ? undefined : refuse()) })
}

function touchyAtTheSecondLook(): object {
  let looks = 0
  return Object.defineProperty({}, 'then', { get: () => (looks++ === 0 ? undefined : refuse()) })
}

describe('what is thrown', () => {
  it.each<[string, () => unknown]>([
    ['an object without a text', () => Object.create(null)],
    ['an object whose text throws', () => ({ toString: refuse })],
    ['a revoked proxy', () => revoked({})],
    ['an error that throws when it is looked at', () => new Proxy(new Error('x'), { get: refuse })],
    ['an error whose message throws', () => withMessage(refuse)],
    ['an error whose message has no text', () => withMessage(() => Object.create(null))],
  ])('may be %s', async (_, make) => {
    const main = new Main()
    const { api } = rpcPair(main)
    main.make = make
    const expected = { name: 'RpcError', type: 'failed', message: 'what was thrown has no text' }
    await expect(plain(api.fail())).rejects.toMatchObject(expected)
    await expect(plain(api.failLater())).rejects.toMatchObject(expected)
  })
})

describe('what is returned', () => {
  it.each<[string, () => unknown]>([
    ['a function that throws when it is looked at', () => touchy(() => {})],
    ['an object that throws when it is looked at again', touchyAtTheSecondLook],
  ])('may be %s', async (_, make) => {
    const main = new Main()
    const { api } = rpcPair(main)
    main.make = make
    await expect(plain(api.giveLater())).rejects.toThrow('do not look')
  })

  it('is disposed of as far as it can be looked at, where a part of it throws', async () => {
    const main = new Main()
    const { api } = rpcPair(main)
    const files: Descriptor[] = []
    const file = (): Descriptor => {
      const made = Descriptor.memfd(new Uint8Array(1))
      files.push(made)
      return made
    }
    const part = {
      get part() {
        return refuse()
      },
    }
    main.make = () => ({ before: file(), part, after: [part, file()] })
    await expect(plain(api.give())).rejects.toThrow('do not look')
    expect(files.map(({ closed }) => closed)).toEqual([true, true])
    // What is refused afterwards is called by its own name, and not by that of what threw.
    await expect(plain(api.take({ s: Symbol('s') }))).rejects.toThrow(/^args\[0\]\.s: a symbol cannot travel/)
  })
})

describe('an onRpcBroken callback that throws', () => {
  it.each(['client', 'server'] as const)(
    'is uncaught, and the session ends whole: closed by the %s',
    async (closer) => {
      const uncaught: unknown[] = []
      const listeners = process.listeners('uncaughtException')
      process.removeAllListeners('uncaughtException')
      process.on('uncaughtException', (error) => uncaught.push((error as Error).message))
      onTestFinished(() => {
        process.removeAllListeners('uncaughtException')
        for (const listener of listeners) process.on('uncaughtException', listener)
      })
      const { client, server, api } = rpcPair(new Main())
      const told: string[] = []
      const throwing = (await api.thing()) as unknown as RpcStub<Main>
      const other = (await api.thing()) as unknown as RpcStub<Main>
      const promised = api.thing()
      await promised
      throwing.onRpcBroken(() => {
        throw new Error('from the callback')
      })
      promised.onRpcBroken(() => {
        throw new Error('from the promise’s')
      })
      other.onRpcBroken((error) => told.push((error as RpcError).type))
      const waiting = expect(plain(api.wait())).rejects.toMatchObject({ type: 'disconnected' })
      await (closer === 'client' ? client : server).close()
      await client.closed
      await server.closed
      await waiting
      await until(() => uncaught.length === 2)
      expect(uncaught.sort()).toEqual(['from the callback', 'from the promise’s'])
      expect(told).toEqual(['disconnected'])
      expect(client.getStats()).toEqual({ imports: 0, exports: 0 })
      for (const stub of [throwing, other, promised]) stub[Symbol.dispose]()
    },
  )
})

describe('a method that calls itself by its stub', () => {
  class Counting extends RpcTarget {
    down(n: number): unknown {
      return n === 0 ? 'reached' : self.down(n - 1)
    }
  }
  const self = new RpcStub(new Counting()) as unknown as { down(n: number): Promise<unknown> }

  it.each([10, 99, 100, 101, 5000, 50_000])('ends, however deep: %i', async (depth) => {
    expect(await self.down(depth)).toBe('reached')
  })
})
