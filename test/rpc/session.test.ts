/** RpcSession: its end, as both sides and lookers-on see it, and what it says of itself. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryTransport, RpcSession, RpcTarget } from '../../src/rpc/index.js'
import { streamPair } from '../support/streams.js'
import { startChild } from '../transport/children/run.js'
import { freshAddress, gate, plain, until } from './support/waiting.js'

class Main extends RpcTarget {
  readonly entered = gate()
  readonly leave = gate()
  disposed = 0
  inner() {
    return new Main()
  }
  echo(text: string) {
    return text
  }
  async work() {
    this.entered.open()
    await this.leave.promise
    return 'done'
  }
  [Symbol.dispose]() {
    this.disposed++
  }
}

function sessions() {
  const [a, b] = streamPair()
  const main = new Main()
  const client = new RpcSession<Main>(a)
  const server = new RpcSession(b, main)
  onTestFinished(async () => {
    main.leave.open()
    await client.close()
    await server.close()
  })
  return { client, server, main, a, b }
}

describe('close', () => {
  it('rejects what is under way at both ends, and is a proper end at both', async () => {
    const { client, server, main } = sessions()
    using api = client.getRemoteMain()
    const rejected = expect(plain(api.work())).rejects.toMatchObject({ type: 'disconnected' })
    await main.entered.promise
    await server.close()
    await rejected
    await client.closed
    await server.closed
    await client.close() // again does nothing
    expect(main.disposed).toBe(1)
  })

  it('looks like a proper end also to a peer whose calls were not read any more', async () => {
    const { client, server } = sessions()
    using api = client.getRemoteMain()
    await api.echo('hello')
    const calls = Promise.allSettled(Array.from({ length: 100 }, () => plain(api.echo('x'))))
    await Promise.resolve().then(() => {}) // they have been sent
    await server.close()
    for (const { status } of await calls) expect(status).toBe('rejected')
    await client.closed
  })

  it('sends what was said before', async () => {
    const { client, server, main } = sessions()
    using api = client.getRemoteMain()
    await api.echo('connected')
    const call = plain(api.work())
    call.catch(() => {})
    void client.close()
    await main.entered.promise
    await server.closed
  })

  it('with drain lets calls end and refuses new ones', async () => {
    const { client, server, main } = sessions()
    using api = client.getRemoteMain()
    const work = plain(api.work())
    await main.entered.promise
    const closed = server.close({ drain: 10_000 })
    await expect(plain(api.echo('new'))).rejects.toMatchObject({ type: 'disconnected' })
    main.leave.open()
    expect(await work).toBe('done')
    await closed
    await client.closed
  })
})

describe('drain', () => {
  it('resolves when nothing is under way in either direction', async () => {
    const { client, server, main } = sessions()
    using api = client.getRemoteMain()
    const work = plain(api.work())
    await main.entered.promise
    const drained: string[] = []
    const both = Promise.all([
      client.drain().then(() => drained.push('client')),
      server.drain().then(() => drained.push('server')),
    ])
    await new Promise((resolve) => setImmediate(resolve))
    expect(drained).toEqual([])
    main.leave.open()
    await both
    expect(await work).toBe('done')
  })

  it('rejects when the session ends abnormally before that', async () => {
    const { server, main, client, a } = sessions()
    using api = client.getRemoteMain()
    const call = expect(plain(api.work())).rejects.toMatchObject({ type: 'disconnected' })
    await main.entered.promise
    const drained = expect(server.drain()).rejects.toMatchObject({ code: 'ERR_PILLION_RPC' })
    a.send(Buffer.from([9, 9, 9]))
    await drained
    await expect(server.drain()).rejects.toMatchObject({ code: 'ERR_PILLION_RPC' })
    await call
  })
})

describe('getStats', () => {
  it('counts the objects that are held either way', async () => {
    const { client, server } = sessions()
    using api = client.getRemoteMain()
    using inner = await api.inner()
    expect(client.getStats()).toEqual({ imports: 2, exports: 0 })
    expect(server.getStats()).toEqual({ imports: 0, exports: 2 })
    inner[Symbol.dispose]()
    await until(() => server.getStats().exports === 1)
    await client.close()
    expect(client.getStats()).toEqual({ imports: 0, exports: 0 })
  })
})

describe('an abnormal end', () => {
  it('is told to the peer, and to who awaits `closed` later', async () => {
    const { client, server, a } = sessions()
    a.send(Buffer.from([9, 9, 9]))
    await expect(server.closed).rejects.toMatchObject({ code: 'ERR_PILLION_RPC' })
    await expect(client.closed).rejects.toMatchObject({ code: 'ERR_PILLION_RPC', origin: 'remote' })
  })

  it('that nobody looks at is one warning, and no crash', async () => {
    const child = startChild('../../rpc/children/unobserved.ts', [freshAddress()])
    expect(await child.answer()).toEqual({ warnings: ['PILLION_UNOBSERVED_ERROR'], said: 'still here' })
    expect(await child.end()).toBe(0)
  })
})

describe('the constructor', () => {
  it.each([5, 'x', null, Symbol('x')])('refuses %s as main, and leaves the stream alone', (main) => {
    const [a] = streamPair()
    expect(() => new RpcSession(a, main)).toThrow('main is')
    expect(a.destroyed).toBe(false)
  })

  it('refuses a disposed stub as main', async () => {
    const { client } = sessions()
    const api = client.getRemoteMain()
    api[Symbol.dispose]()
    const [a] = MemoryTransport.pair()
    expect(() => new RpcSession(a, api)).toThrow('disposed')
  })

  it.each([{ keepAlive: -1 }, { sendStacks: 1 }, { traceContext: {} }])('refuses %j', (options) => {
    const [a] = MemoryTransport.pair()
    expect(() => new RpcSession(a, {}, options as never)).toThrow(Object.keys(options)[0])
  })
})
