/** serve: sessions of a listening socket, each with its main; refusal, limits, and the end of the server. */
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  callContext,
  type DialOptions,
  dial,
  RpcServer,
  type RpcSession,
  type RpcStub,
  RpcTarget,
  type ServeOptions,
  serve,
} from '../../src/rpc/index.js'
import { connect, type Peer } from '../../src/stream/index.js'
import { startChild } from '../transport/children/run.js'
import { freshAddress, gate, plain, until } from './support/waiting.js'

class Greeter extends RpcTarget {
  disposed = 0
  readonly #name: string
  constructor(name = 'nobody') {
    super()
    this.#name = name
  }
  hello() {
    return `hello ${this.#name}`
  }
  [Symbol.dispose]() {
    this.disposed++
  }
}

/** Work that ends when it is told to, and what a client holds meanwhile. */
class Workshop extends RpcTarget {
  readonly entered = gate()
  readonly leave = gate()
  signal: AbortSignal | undefined
  echo(text: string) {
    return text
  }
  async work(started?: () => PromiseLike<void>) {
    this.signal = callContext().signal
    if (started !== undefined) await started()
    this.entered.open()
    await this.leave.promise
    return 'done'
  }
  async ask(question: (again: () => string) => PromiseLike<string>) {
    this.entered.open()
    await this.leave.promise
    return await question(() => 'called back')
  }
  async sum(numbers: AsyncIterable<number>) {
    let sum = 0
    for await (const number of numbers) {
      this.entered.open()
      sum += number
    }
    return sum
  }
}

async function started(main: object, options?: ServeOptions): Promise<RpcServer> {
  const server = await serve(freshAddress(), main as never, options)
  onTestFinished(() => server.close())
  return server
}

async function dialed<T>({ address }: RpcServer, options?: DialOptions): Promise<RpcStub<T>> {
  const api = await dial<T>(address, options)
  onTestFinished(() => (api as unknown as Disposable)[Symbol.dispose]())
  return api
}

describe('serve', () => {
  it('serves one main object to all connections, and disposes of it when the server closes', async () => {
    const main = new Greeter('all')
    const server = await started(main)
    const first = await dialed<Greeter>(server)
    const second = await dialed<Greeter>(server)
    expect(await Promise.all([first.hello(), second.hello()])).toEqual(['hello all', 'hello all'])

    first[Symbol.dispose]()
    second[Symbol.dispose]()
    await until(() => server.sessions.size === 0)
    expect(main.disposed).toBe(0)
    const third = await dialed<Greeter>(server)
    expect(await third.hello()).toBe('hello all')

    await server.close()
    expect(main.disposed).toBe(1)
  })

  it('makes a main for each connection from its peer, and disposes of it with the session', async () => {
    const mains: Greeter[] = []
    const server = await started((peer: Peer) => {
      const main = new Greeter(`process ${peer.pid}`)
      mains.push(main)
      return main
    })
    const api = await dialed<Greeter>(server)
    const other = await dialed<Greeter>(server)
    expect(await api.hello()).toBe(`hello process ${process.pid}`)
    await other.hello()
    expect(mains).toHaveLength(2)

    api[Symbol.dispose]()
    await until(() => mains[0]?.disposed === 1)
    expect(mains[1]?.disposed).toBe(0)
  })

  it('waits for a main that is promised; calls made meanwhile are served by it', async () => {
    const main = gate<Greeter>()
    const server = await started(() => main.promise)
    const api = await dialed<Greeter>(server)
    const greeting = api.hello()
    main.open(new Greeter('late'))
    expect(await greeting).toBe('hello late')
  })

  it('serves a function that the factory returns', async () => {
    const server = await started(() => (a: number, b: number) => a + b)
    const add = await dialed<(a: number, b: number) => number>(server)
    expect(await add(1, 2)).toBe(3)
  })

  it('refuses a class in place of an instance', async () => {
    await expect(serve(freshAddress(), Greeter)).rejects.toMatchObject({
      code: 'ERR_PILLION_USAGE',
      message: expect.stringContaining('new Greeter()'),
    })
  })

  it.each([0, Number.NaN, '5'])('refuses maxConnections %s', async (maxConnections) => {
    const options = { maxConnections } as ServeOptions
    await expect(serve(freshAddress(), new Greeter(), options)).rejects.toMatchObject({ code: 'ERR_PILLION_USAGE' })
  })

  it('lets go of main when it cannot listen', async () => {
    const server = await started(new Greeter())
    const main = new Greeter()
    await expect(serve(server.address, main)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(main.disposed).toBe(1)
  })

  it('asks authorize before anything is served', async () => {
    const asked: Peer[] = []
    let made = 0
    const authorize = (peer: Peer) => {
      asked.push(peer)
      return false
    }
    const server = await started(
      () => {
        made++
        return new Greeter()
      },
      { authorize },
    )
    const refused = once(server as never, 'refused')
    const api = await dialed<Greeter>(server)
    await expect(plain(api.hello())).rejects.toMatchObject({ code: 'ERR_PILLION_RPC', type: 'disconnected' })
    expect(await refused).toEqual([asked[0]])
    expect(asked[0]?.uid).toBe(process.getuid?.())
    expect(made).toBe(0)
  })

  it.each([
    [
      'throws',
      (): unknown => {
        throw new Error('not today')
      },
    ],
    [
      'rejects',
      async (): Promise<unknown> => {
        throw new Error('not today')
      },
    ],
    ['gives what cannot be served', (): unknown => 5],
  ] as const)('tells a peer why, when its factory %s, and goes on', async (how, factory) => {
    let good = false
    const server = await started(() => (good ? new Greeter('you') : factory()))
    const refused = once(server as never, 'refused')
    const api = await dialed<Greeter>(server)
    const message = how.startsWith('gives') ? /main is an RpcTarget/ : 'not today'
    await expect(plain(api.hello())).rejects.toMatchObject({
      type: 'disconnected',
      message: expect.stringMatching(message),
    })
    const [peer, error] = await refused
    expect(peer).toMatchObject({ pid: process.pid })
    expect(error).toMatchObject({ message: expect.stringMatching(message) })
    expect(server.sessions.size).toBe(0)

    good = true
    const again = await dialed<Greeter>(server)
    expect(await again.hello()).toBe('hello you')
  })

  it('refuses more connections than maxConnections, until one has ended', async () => {
    const server = await started(new Greeter('one'), { maxConnections: 1 })
    const first = await dialed<Greeter>(server)
    await first.hello()
    const second = await dialed<Greeter>(server)
    await expect(plain(second.hello())).rejects.toMatchObject({
      type: 'disconnected',
      cause: { type: 'overloaded', message: expect.stringContaining('maxConnections') },
    })
    first[Symbol.dispose]()
    await until(() => server.sessions.size === 0)
    const third = await dialed<Greeter>(server)
    expect(await third.hello()).toBe('hello one')
  })

  it('counts a connection whose main is being made', async () => {
    const main = gate<Greeter>()
    const server = await started(() => main.promise, { maxConnections: 1 })
    const first = await dialed<Greeter>(server)
    const greeting = first.hello()
    const second = await dialed<Greeter>(server)
    await expect(plain(second.hello())).rejects.toMatchObject({ cause: { type: 'overloaded' } })
    main.open(new Greeter('first'))
    expect(await greeting).toBe('hello first')
  })

  it('tells of sessions that begin and end', async () => {
    const server = await started(new Greeter())
    const begun = once(server as never, 'connection')
    const ended = once(server as never, 'ended')
    const api = await dialed<Greeter>(server)
    const [session] = (await begun) as [RpcSession]
    expect(session.peer?.pid).toBe(process.pid)
    expect([...server.sessions]).toEqual([session])
    api[Symbol.dispose]()
    expect(await ended).toEqual([session, undefined])
  })

  it('tells of what ended a session abnormally, and serves the others on', async () => {
    const server = await started(new Greeter('you'))
    const good = await dialed<Greeter>(server)
    await good.hello()
    const ended = once(server as never, 'ended')
    const bad = await connect(server.address)
    onTestFinished(() => bad.destroy())
    bad.send(Buffer.from([9, 9, 9, 9]))
    expect((await ended)[1]).toMatchObject({ code: 'ERR_PILLION_RPC' })
    expect(await good.hello()).toBe('hello you')
  })
})

describe('a client process that is killed in the middle of a call', () => {
  it('has its call canceled and its session ended, and others are served on', async () => {
    const main = new Workshop()
    const server = await started(main)
    const ended = once(server as never, 'ended')
    const child = startChild('../../rpc/children/caller.ts', [server.address as string])
    expect(await child.answer()).toBe('started')
    await main.entered.promise
    const aborted = once(main.signal as AbortSignal, 'abort')

    child.process.kill('SIGKILL')
    await aborted
    await ended
    expect(main.signal?.reason).toMatchObject({ type: 'disconnected' })
    expect(server.sessions.size).toBe(0)
    main.leave.open() // a method that goes on for nobody
    const other = startChild('../../rpc/children/caller.ts', [server.address as string, 'echo'])
    expect(await other.answer()).toBe('hello')
    expect(await other.end()).toBe(0)
    await child.end()
  })
})

describe('closing a server', () => {
  it('without draining ends all sessions: calls under way reject', async () => {
    const main = new Workshop()
    const server = await started(main)
    const api = await dialed<Workshop>(server)
    const work = api.work()
    const rejected = expect(plain(work)).rejects.toMatchObject({ type: 'disconnected' })
    await main.entered.promise
    await server.close({ drain: 0 })
    await rejected
    expect(main.signal?.aborted).toBe(true)
    expect(server.closed).toBe(true)
    await expect(dial(server.address)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    main.leave.open()
  })

  it('drains: what is under way ends, new calls are refused, then sessions end', async () => {
    const main = new Workshop()
    const server = await started(main)
    const api = await dialed<Workshop>(server)
    const work = api.work()
    await main.entered.promise
    const closed = server.close({ drain: 10_000 })
    await expect(dial(server.address)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await expect(plain(api.echo('new'))).rejects.toMatchObject({ type: 'disconnected', message: /being closed/ })
    main.leave.open()
    expect(await work).toBe('done')
    await closed
    expect(server.sessions.size).toBe(0)
    await expect(plain(api.echo('after'))).rejects.toMatchObject({ type: 'disconnected' })
  })

  it('lets calls under way be called back while it drains', async () => {
    const main = new Workshop()
    const server = await started(main)
    const api = await dialed<Workshop>(server)
    const asked = api.ask(async (again) => `${await again()} twice`)
    await main.entered.promise
    const closed = server.close({ drain: 10_000 })
    main.leave.open()
    expect(await asked).toBe('called back twice')
    await closed
  })

  it('lets a stream that is being sent to it end while it drains', async () => {
    const main = new Workshop()
    const server = await started(main)
    const api = await dialed<Workshop>(server)
    const more = gate()
    async function* numbers() {
      yield 1
      await more.promise
      for (let i = 2; i <= 10; i++) yield i
    }
    const sum = api.sum(numbers())
    await main.entered.promise
    const closed = server.close({ drain: 10_000 })
    more.open()
    expect(await sum).toBe(55)
    await closed
  })

  it('does not wait for longer than `drain`', async () => {
    const main = new Workshop()
    const server = await started(main)
    const api = await dialed<Workshop>(server)
    const rejected = expect(plain(api.work())).rejects.toMatchObject({ type: 'disconnected' })
    await main.entered.promise
    await server.close({ drain: 1 })
    await rejected
    main.leave.open()
  })

  it('ends the draining at once when it is closed again with none', async () => {
    const main = new Workshop()
    const server = await started(main)
    const api = await dialed<Workshop>(server)
    const rejected = expect(plain(api.work())).rejects.toMatchObject({ type: 'disconnected' })
    await main.entered.promise
    const drained = server.close({ drain: 1e9 })
    await server.close({ drain: 0 })
    await drained
    await rejected
    main.leave.open()
  })

  it('turns away who waits for a main, and disposes of the main when it comes', async () => {
    const made = gate<Greeter>()
    const asked = gate()
    const server = await started(() => {
      asked.open()
      return made.promise
    })
    const api = await dialed<Greeter>(server)
    const rejected = expect(plain(api.hello())).rejects.toMatchObject({ type: 'disconnected' })
    await asked.promise
    await server.close()
    await rejected
    const main = new Greeter()
    made.open(main)
    await until(() => main.disposed === 1)
  })

  it('happens by its signal, and by `await using`', async () => {
    const controller = new AbortController()
    const server = await started(new Greeter(), { signal: controller.signal })
    const api = await dialed<Greeter>(server)
    await api.hello()
    const closed = once(server as never, 'close')
    controller.abort()
    await closed
    await expect(plain(api.hello())).rejects.toMatchObject({ type: 'disconnected' })
    let inner: RpcServer
    {
      await using server = await serve(freshAddress(), new Greeter())
      inner = server
      expect(inner).toBeInstanceOf(RpcServer)
    }
    expect(inner.closed).toBe(true)
  })

  it.each([-1, '1', Number.NaN])('refuses drain %s', async (drain) => {
    const server = await started(new Greeter())
    expect(() => server.close({ drain } as never)).toThrow(/drain/)
  })
})
