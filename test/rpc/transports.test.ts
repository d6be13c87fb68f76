/** Sessions over other transports than sockets: a worker thread's port, memory, one of the user's own. */
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { MessageChannel, Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type FrameReceiver,
  MemoryTransport,
  MessagePortTransport,
  RpcSession,
  RpcTarget,
  type RpcTransport,
} from '../../src/rpc/index.js'
import { FrameStreamTransport } from '../../src/rpc/transports/frame-stream-transport.js'
import { Descriptor, pair } from '../../src/stream/index.js'
import { plain } from './support/waiting.js'

class Main extends RpcTarget {
  add(a: number, b: number) {
    return a + b
  }
  async ask(question: (where: string) => PromiseLike<string>) {
    return `${await question('here')}, heard`
  }
  async *count(to: number) {
    for (let i = 1; i <= to; i++) yield i
  }
  exit() {}
  kind(descriptor: Descriptor) {
    return descriptor.kind
  }
  give() {
    return Descriptor.memfd(1)
  }
}

async function exercised(session: RpcSession<Main>): Promise<void> {
  using api = session.getRemoteMain()
  expect(await api.add(1, 2)).toBe(3)
  expect(await api.ask(async (where) => `asked ${where}`)).toBe('asked here, heard')
  const seen: number[] = []
  for await (const i of await api.count(3)) seen.push(i)
  expect(seen).toEqual([1, 2, 3])
}

describe('MessagePortTransport', () => {
  const script = fileURLToPath(new URL('./children/port-worker.mjs', import.meta.url))

  async function working(): Promise<{ readonly session: RpcSession<Main>; readonly worker: Worker }> {
    const { port1, port2 } = new MessageChannel()
    const worker = new Worker(script, { workerData: { port: port2 }, transferList: [port2] })
    onTestFinished(async () => void (await worker.terminate()))
    await once(worker, 'message')
    return { session: new RpcSession<Main>(new MessagePortTransport(port1)), worker }
  }

  it('makes a session with a worker thread', async () => {
    const { session } = await working()
    await exercised(session)
    expect(session.peer).toBeUndefined()
    await session.close()
  })

  it('ends when the thread does: calls under way reject', async () => {
    const { session, worker } = await working()
    using api = session.getRemoteMain()
    expect(await api.add(1, 2)).toBe(3)
    const rejected = expect(plain(api.exit())).rejects.toMatchObject({ type: 'disconnected' })
    await once(worker, 'exit')
    await rejected
    await session.closed
  })

  it('refuses descriptors, at the call', async () => {
    const { session } = await working()
    using api = session.getRemoteMain()
    using memfd = Descriptor.memfd(1)
    await expect(plain(api.kind(memfd))).rejects.toMatchObject({
      code: 'ERR_PILLION_USAGE',
      message: expect.stringContaining('no descriptors'),
    })
    expect(await api.add(1, 2)).toBe(3)
    await session.close()
  })

  it('ends the session when something else than bytes comes', async () => {
    const { port1, port2 } = new MessageChannel()
    const session = new RpcSession(new MessagePortTransport(port1))
    port2.postMessage('hello')
    await expect(session.closed).rejects.toMatchObject({ message: expect.stringContaining('something else') })
    port2.close()
  })
})

describe('MemoryTransport', () => {
  it('makes a session within a thread, descriptors included', async () => {
    const [a, b] = MemoryTransport.pair()
    const server = new RpcSession(b, new Main())
    const client = new RpcSession<Main>(a)
    await exercised(client)
    {
      using api = client.getRemoteMain()
      using memfd = await api.give()
      expect(await api.kind(memfd)).toBe('memfd')
    }
    await client.close()
    await server.closed
  })

  it('can be told to carry none: then a call, and a result, with one fails alone', async () => {
    const [a, b] = MemoryTransport.pair({ carriesDescriptors: false })
    const server = new RpcSession(b, new Main())
    const client = new RpcSession<Main>(a)
    using api = client.getRemoteMain()
    using memfd = Descriptor.memfd(1)
    await expect(plain(api.kind(memfd))).rejects.toMatchObject({ code: 'ERR_PILLION_USAGE' })
    await expect(plain(api.give())).rejects.toMatchObject({ message: expect.stringContaining('no descriptors') })
    expect(await api.add(1, 2)).toBe(3)
    await client.close()
    await server.closed
  })

  it('delivers when its schedule says so', async () => {
    const held: (() => void)[] = []
    const [a, b] = MemoryTransport.pair({ schedule: (deliver) => void held.push(deliver) })
    const server = new RpcSession(b, new Main())
    const client = new RpcSession<Main>(a)
    using api = client.getRemoteMain()
    let sum: number | undefined
    const added = api.add(1, 2).then((result) => {
      sum = result
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(sum).toBeUndefined()
    while (sum === undefined) {
      held.shift()?.()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await added
    const closed = client.close()
    for (const deliver of held.splice(0)) deliver()
    await closed
    for (const deliver of held.splice(0)) deliver()
    await server.closed
  })
})

/** Whole messages over a pair of emitters, as a user may have them from a WebSocket. */
class EmitterTransport implements RpcTransport {
  readonly carriesDescriptors = false
  readonly maxDescriptors = 0
  readonly maxPayload = 4096
  readonly queuedBytes = 0
  readonly peer = undefined
  readonly #in: EventEmitter
  readonly #out: EventEmitter

  constructor(incoming: EventEmitter, outgoing: EventEmitter) {
    this.#in = incoming
    this.#out = outgoing
  }

  start(receiver: FrameReceiver): void {
    this.#in.on('message', (bytes: Uint8Array) => {
      receiver.onFrame(bytes, [], 0)
      receiver.onBatchEnd()
    })
    this.#in.once('end', (error?: Error) => receiver.onEnd(error))
  }

  send(head: Uint8Array, content: readonly Uint8Array[]): void {
    const bytes = Buffer.concat([head, ...content])
    setImmediate(() => this.#out.emit('message', bytes))
  }

  close(): void {
    setImmediate(() => this.#out.emit('end'))
  }

  ref(): void {}

  unref(): void {}
}

describe('a session over a stream', () => {
  it('sends what is called at once in one system call, and answers it 32 at a time, so that both ends are busy', async () => {
    const [left, right] = pair()
    const server = new RpcSession(left, new Main())
    const client = new RpcSession<Main>(right)
    onTestFinished(() => Promise.all([server.close(), client.close()]).then(() => {}))
    using api = client.getRemoteMain()
    await api.add(0, 0)
    await client.drain() // that the bootstrap is finished has left
    const before = [right.stats.sent, left.stats.sent] as const
    const sums = await Promise.all(Array.from({ length: 80 }, async (_, i) => await api.add(i, i)))
    expect(sums).toEqual(Array.from({ length: 80 }, (_, i) => 2 * i))
    const after = [right.stats.sent, left.stats.sent] as const
    for (const [i, systemCalls] of [1, 3].entries() as ArrayIterator<[0 | 1, number]>) {
      expect(after[i].frames - before[i].frames).toBe(80)
      expect(after[i].systemCalls - before[i].systemCalls).toBe(systemCalls)
    }
  })
})

describe('what was let go of', () => {
  class Opener extends RpcTarget {
    open(): Main {
      return new Main()
    }
  }

  async function openSession() {
    const [left, right] = pair()
    const server = new RpcSession(left, new Opener())
    const client = new RpcSession<Opener>(right)
    onTestFinished(() => Promise.all([server.close(), client.close()]).then(() => {}))
    const api = client.getRemoteMain()
    using opened = await api.open()
    await opened.add(0, 0)
    await client.drain()
    return { api, client, server, sent: () => right.stats.sent.systemCalls }
  }

  it('leaves with the next call', async () => {
    const { api, client, sent } = await openSession()
    const before = sent()
    for (let i = 0; i < 10; i++) {
      using opened = api.open() // its Finish and its Release are of the call before
      expect(await opened.add(i, i)).toBe(2 * i)
    }
    await client.drain()
    expect(sent() - before).toBe(11)
    api[Symbol.dispose]()
  })

  it('leaves also where no call follows, within the turn of the loop', async () => {
    const { api, server, sent } = await openSession()
    const opened = await api.open()
    const before = sent()
    const { exports } = server.getStats()
    opened[Symbol.dispose]()
    expect(sent()).toBe(before)
    await new Promise((resolve) => setImmediate(resolve))
    expect(sent()).toBe(before + 1)
    await expect.poll(() => server.getStats().exports).toBe(exports - 1)
    api[Symbol.dispose]()
  })
})

describe('drain', () => {
  it('rejects when sending what was let go of is what ends the session', async () => {
    const [left, right] = pair()
    const server = new RpcSession(left, { open: () => new Main() })
    const transport = new FrameStreamTransport(right)
    let fails = false
    const client = new RpcSession<{ open(): Main }>(
      new Proxy<RpcTransport>(transport, {
        get: (target, key) => {
          if (key === 'send' && fails) throw new Error('no more')
          const value: unknown = Reflect.get(target, key, target)
          return typeof value === 'function' ? value.bind(target) : value
        },
      }),
    )
    const api = client.getRemoteMain()
    const opened = await api.open()
    await client.drain()
    opened[Symbol.dispose]()
    fails = true
    await expect(client.drain()).rejects.toThrow('no more')
    await server.closed.catch(() => {})
  })

  it('does not send a call before it can be called on', async () => {
    const [left, right] = pair()
    const server = new RpcSession(left, { open: () => new Main() })
    const client = new RpcSession<{ open(): Main }>(right)
    onTestFinished(() => Promise.all([server.close(), client.close()]).then(() => {}))
    using api = client.getRemoteMain()
    const before = right.stats.sent
    using opened = api.open()
    const drained = client.drain()
    expect(await opened.add(1, 2)).toBe(3)
    const after = right.stats.sent
    expect([after.frames - before.frames, after.systemCalls - before.systemCalls]).toEqual([3, 1]) // the bootstrap first
    await drained
  })
})

describe('bytes as an argument', () => {
  class Keeper extends RpcTarget {
    readonly seen: Uint8Array[] = []
    keep(value: { name: string; bytes: Uint8Array }, ..._more: Uint8Array[]) {
      this.seen.push(value.bytes)
    }
  }

  async function kept(length: number, ...more: Uint8Array[]): Promise<Uint8Array> {
    const [left, right] = pair()
    const keeper = new Keeper()
    const server = new RpcSession(left, keeper)
    const client = new RpcSession<Keeper>(right)
    onTestFinished(() => Promise.all([server.close(), client.close()]).then(() => {}))
    using api = client.getRemoteMain()
    const bytes = new Uint8Array(length).fill(7)
    const done = api.keep({ name: 'x', bytes }, ...more)
    bytes.fill(9) // the caller's own, whatever has been sent
    await done
    const [seen] = keeper.seen as [Uint8Array]
    expect(Buffer.compare(seen, Buffer.alloc(length, 7))).toBe(0)
    expect(seen.constructor).toBe(Uint8Array)
    return seen
  }

  it('are the memory that they were received in, where that is theirs', async () => {
    const seen = await kept(1_000_000)
    expect(seen.byteOffset).toBeGreaterThan(0)
    expect(seen.buffer.byteLength).toBeLessThan(1_000_200)
  })

  it('are a copy where they were received beside others, or are the smaller part', async () => {
    expect((await kept(1000)).buffer.byteLength).toBe(1000)
    expect((await kept(400_000, new Uint8Array(500_000))).buffer.byteLength).toBe(400_000)
  })
})

describe('a transport of one’s own', () => {
  function connected() {
    const [there, back] = [new EventEmitter(), new EventEmitter()]
    const server = new RpcSession(new EmitterTransport(there, back), new Main())
    const client = new RpcSession<Main>(new EmitterTransport(back, there))
    return { server, client, back }
  }

  it('makes a session', async () => {
    const { server, client } = connected()
    await exercised(client)
    await client.close()
    await server.closed
  })

  it('has its limits kept: what is too large fails its call alone', async () => {
    const { server, client } = connected()
    using api = client.getRemoteMain()
    const large = 'x'.repeat(4000) as never
    await expect(plain(api.add(large, large))).rejects.toMatchObject({
      code: 'ERR_PILLION_FRAME_TOO_LARGE',
      limit: 4096,
    })
    expect(await api.add(1, 2)).toBe(3)
    await client.close()
    await server.closed
  })

  it('tells why the connection is lost', async () => {
    const { server, client, back } = connected()
    const lost = expect(client.closed).rejects.toMatchObject({
      type: 'disconnected',
      message: expect.stringContaining('the cable is out'),
    })
    back.emit('end', new Error('the cable is out'))
    await lost
    await server.closed
  })
})
