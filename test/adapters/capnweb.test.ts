/** What capnweb's documentation promises, over a stream, at each level; and what only a stream and descriptors bring. */
import { RpcSession, type RpcStub, RpcTarget } from 'capnweb'
import { describe, expect, it } from 'vitest'
import {
  type PassedDescriptor,
  passDescriptor,
  type StructuredOptions,
  stringTransport,
  structuredTransport,
  takeDescriptor,
} from '../../src/adapters/capnweb/index.js'
import { RpcError, sendValue, unpackValue } from '../../src/rpc/index.js'
import { adopt, ClosedError, type Descriptor, type FrameStream, UsageError } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { destroyedAfterTest, named, nameOf, streamPair, take, turns, until } from '../support/streams.js'

type Transport = ConstructorParameters<typeof RpcSession>[0]

class Counter extends RpcTarget {
  #value: number
  disposed = false

  constructor(value = 0) {
    super()
    this.#value = value
  }

  increment(by = 1): number {
    this.#value += by
    return this.#value
  }

  [Symbol.dispose](): void {
    this.disposed = true
  }
}

class Api extends RpcTarget {
  readonly counters: Counter[] = []

  echo(value: unknown): unknown {
    return value
  }

  counter(value: number): Counter {
    const counter = new Counter(value)
    this.counters.push(counter)
    return counter
  }

  async call(callback: RpcStub<(n: number) => number>, n: number): Promise<number> {
    return await callback(n)
  }

  fail(): never {
    throw new RangeError('as it should')
  }

  hang(): Promise<never> {
    return new Promise(() => {})
  }

  bytes(count: number): ReadableStream<Uint8Array> {
    let left = count
    return new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(new Uint8Array(50_000).fill(left % 256))
        else controller.close()
      },
    })
  }

  async total(stream: ReadableStream<Uint8Array>): Promise<number> {
    let total = 0
    for await (const chunk of stream) total += chunk.length
    return total
  }

  text(length: number): string {
    return 'x'.repeat(length)
  }
}

function sessions(transportOf: (stream: FrameStream) => Transport, streams = streamPair({ maxPayload: 1_000_000 })) {
  const target = new Api()
  const client = new RpcSession<Api>(transportOf(streams[0]))
  const server = new RpcSession(transportOf(streams[1]), target)
  // biome-ignore lint/suspicious/noExplicitAny: `echo` takes and gives anything
  return { api: client.getRemoteMain() as any, client, server, streams, target }
}

const transports: Readonly<Record<string, (stream: FrameStream) => Transport>> = {
  text: stringTransport,
  jsonCompatible: (stream) => structuredTransport(stream, { encodingLevel: 'jsonCompatible' }),
  jsonCompatibleWithBytes: (stream) => structuredTransport(stream, { encodingLevel: 'jsonCompatibleWithBytes' }),
  structuredClonable: (stream) => structuredTransport(stream, { encodingLevel: 'structuredClonable' }),
}

describe.each(Object.entries(transports))('capnweb over a stream, %s', (_level, transportOf) => {
  it('keeps every type that capnweb has', async () => {
    const { api } = sessions(transportOf)
    const value = {
      numbers: [1, -1.5, Number.NaN, Number.POSITIVE_INFINITY, 2n ** 90n],
      when: new Date(5),
      nothing: [undefined, null],
      bytes: new Uint8Array([1, 2, 3]),
      words: new Uint16Array([256, 65_535]),
      nested: [[[[]], {}]],
      text: '\0 ä 😀',
      '\0': 'a strange key',
    }
    const got = await api.echo(value)
    expect({ ...got, bytes: new Uint8Array(got.bytes) }).toEqual(value)
    const error = await api.echo(Object.assign(new TypeError('e', { cause: 'c' }), { code: 7 }))
    expect(error).toMatchObject({ name: 'TypeError', message: 'e', cause: 'c', code: 7 })
    expect((await api.echo(new URL('unix:/a'))).href).toBe('unix:/a')
  })

  it('pipelines calls on what is promised, without waiting for it', async () => {
    const { api, streams } = sessions(transportOf)
    const counter = api.counter(5)
    const calls = [counter.increment(), counter.increment(10), api.echo(counter.increment(100))]
    const results = Promise.all(calls)
    await streams[0].flush()
    const { sent, received } = streams[0].stats
    expect([sent.frames >= 4, received.frames]).toEqual([true, 0])
    expect(await results).toEqual([6, 16, 116])
  })

  it('calls back, throws what is thrown, and disposes of everything', async () => {
    const { api, client, server, target } = sessions(transportOf)
    expect(await api.call((n: number) => n * 2, 21)).toBe(42)
    await expect(api.fail().then()).rejects.toMatchObject({ name: 'RangeError', message: 'as it should' })
    const counter = await api.counter(1)
    counter[Symbol.dispose]()
    await until(() => target.counters[0]?.disposed === true)
    await until(() => client.getStats().imports === 1 && server.getStats().exports === 1)
  })

  it('streams, both ways', async () => {
    const { api } = sessions(transportOf)
    let received = 0
    for await (const chunk of await api.bytes(100)) received += chunk.length
    expect(received).toBe(5_000_000)
    expect(await api.total(new Api().bytes(100))).toBe(5_000_000)
  })

  it('fails a call that is too large, and a result, and goes on', async () => {
    const { api, client } = sessions(transportOf)
    await expect(api.echo('x'.repeat(1_000_000)).then()).rejects.toMatchObject({ code: 'ERR_PILLION_FRAME_TOO_LARGE' })
    await expect(api.text(1_000_000).then()).rejects.toMatchObject({ code: 'ERR_PILLION_FRAME_TOO_LARGE' })
    expect(await api.echo(1)).toBe(1)
    await until(() => client.getStats().imports === 1)
  })

  it('breaks with a typed error when the peer goes, and ends the stream', async () => {
    const { api, server, streams } = sessions(transportOf)
    const broken = new Promise((resolve) => api.onRpcBroken(resolve))
    const pending = api.hang()
    await api.echo(1)
    void server
    await streams[1].end()
    await expect(pending.then()).rejects.toMatchObject({ constructor: RpcError, type: 'disconnected' })
    expect(await broken).toBeInstanceOf(RpcError)
    await until(() => streams.every(({ destroyed }) => destroyed))
    await expect(api.echo(1).then()).rejects.toThrow('ended')
  })

  it('says why it broke, when it is disposed of with calls pending', async () => {
    const { api, streams } = sessions(transportOf)
    const pending = api.hang()
    await api.echo(1)
    api[Symbol.dispose]()
    await expect(pending.then()).rejects.toThrow('disposing the main stub')
    await until(() => streams.every(({ destroyed }) => destroyed))
  })

  it('breaks when too much waits for the peer to read it', async () => {
    const [left, right] = streamPair()
    const limited =
      transportOf === stringTransport
        ? stringTransport(left, { maxQueued: 100_000 })
        : structuredTransport(left, { maxQueued: 100_000 })
    const api = new RpcSession<Api>(limited).getRemoteMain()
    const calls = Array.from({ length: 50 }, () => api.echo('x'.repeat(30_000)))
    for (const call of calls) await expect(call.then()).rejects.toMatchObject({ type: 'overloaded' })
    right.destroy()
  })
})

class Files extends RpcTarget {
  readonly kept: Descriptor[] = []
  readonly ignored: PassedDescriptor[] = []
  waiting: PassedDescriptor | undefined
  goOn: () => void = () => {}
  opened = 0
  exchanged: Descriptor | undefined

  name(file: PassedDescriptor): string {
    using taken = takeDescriptor(file)
    return nameOf(taken)
  }

  keep({ deep: [file] }: { deep: [PassedDescriptor] }): void {
    this.kept.push(takeDescriptor(file))
  }

  ignore(file: PassedDescriptor): void {
    this.ignored.push(file)
  }

  hang(_file: PassedDescriptor): Promise<void> {
    return new Promise(() => {})
  }

  later(file: PassedDescriptor): Promise<void> {
    this.waiting = file
    return new Promise((resolve) => {
      this.goOn = resolve
    })
  }

  openLate(name: string): PassedDescriptor {
    return passDescriptor(() => {
      this.opened++
      return named(name)
    })
  }

  openBadly(): PassedDescriptor {
    return passDescriptor(() => {
      throw new Error('no such file')
    })
  }

  openNothing(): PassedDescriptor {
    return passDescriptor(() => undefined as never)
  }

  exchange(_file: PassedDescriptor): PassedDescriptor[] {
    this.exchanged = named('exchanged')
    return [passDescriptor(this.exchanged, { transfer: true }), passDescriptor(() => named('never'))]
  }

  open(name: string): { file: PassedDescriptor } {
    return { file: passDescriptor(named(name), { transfer: true }) }
  }

  echo(value: unknown): unknown {
    return value
  }
}

function files(options: StructuredOptions = {}, streams = streamPair()) {
  const target = new Files()
  new RpcSession(structuredTransport(streams[1], options), target)
  const api = new RpcSession<Files>(structuredTransport(streams[0])).getRemoteMain()
  return { api, target, streams }
}

describe('descriptors in capnweb', () => {
  it('travel anywhere in arguments and results, and are lent unless they are transferred', async () => {
    const { api, target } = files()
    using file = named('lent')
    expect(await api.name(passDescriptor(file))).toBe('lent')
    await api.keep({ deep: [passDescriptor(file)] })
    expect(file.closed).toBe(false)
    expect(target.kept.map(nameOf)).toEqual(['lent'])
    target.kept[0]?.close()

    using opened = takeDescriptor((await api.open('opened')).file)
    expect(nameOf(opened)).toBe('opened')
    const given = named('given')
    expect(await api.name(passDescriptor(given, { transfer: true }))).toBe('given')
    expect(given.closed).toBe(true)
  })

  it('may be passed twice, each time another', async () => {
    const { api } = files()
    using file = named('twice')
    const passed = passDescriptor(file)
    expect(await Promise.all([api.name(passed), api.name(passed)])).toEqual(['twice', 'twice'])
  })

  it('are closed behind the call when nobody took them', async () => {
    const { api, target } = files()
    using file = named('ignored')
    await api.ignore(passDescriptor(file))
    expect(() => takeDescriptor(target.ignored[0] as PassedDescriptor)).toThrow(ClosedError)
  })

  it('of results are closed with the session when nobody took them, and not before', async () => {
    const { api, streams } = files()
    const taken = await api.open('taken')
    const left = await api.open('left')
    using file = takeDescriptor(taken.file)
    await turns()
    expect((left.file as unknown as Descriptor).closed).toBe(false)
    api[Symbol.dispose]()
    await until(() => streams.every(({ destroyed }) => destroyed))
    expect((left.file as unknown as Descriptor).closed).toBe(true)
    expect(nameOf(file)).toBe('taken')
  })

  it('end the session when too many are not taken', async () => {
    const { api, streams } = files({ maxUntaken: 10 })
    using file = named('flood')
    const hanging = Array.from({ length: 11 }, () => api.hang(passDescriptor(file)))
    for (const call of hanging) await expect(call.then()).rejects.toBeDefined()
    await expect(streams[1].closed).rejects.toMatchObject({ type: 'overloaded' })
  })

  it('are no more counted once they are taken, however many calls there are at once', async () => {
    const { api, streams } = files({ maxUntaken: 100 })
    using file = named('many')
    const names = Array.from({ length: 1500 }, () => api.name(passDescriptor(file)))
    expect(new Set(await Promise.all(names))).toEqual(new Set(['many']))
    for (let i = 0; i < 150; i++) {
      api.name(passDescriptor(file))[Symbol.dispose]()
      if (i % 50 === 0) await api.echo(i)
    }
    expect(await api.echo(1)).toBe(1)
    expect(streams[1].destroyed).toBe(false)
  })

  it('of calls that nobody awaits are closed when the call is over, and not before', async () => {
    const { api, target } = files()
    using file = named('unawaited')
    for (let i = 0; i < 50; i++) api.ignore(passDescriptor(file))[Symbol.dispose]()
    api.later(passDescriptor(file))[Symbol.dispose]()
    expect(await api.echo(1)).toBe(1)
    await until(
      () => target.ignored.length === 50 && target.ignored.every((each) => (each as unknown as Descriptor).closed),
    )
    using taken = takeDescriptor(target.waiting as PassedDescriptor)
    expect(nameOf(taken)).toBe('unawaited')
    target.goOn()
    await turns()
    expect(await api.echo(1)).toBe(1)
  })

  it('of results that nobody awaits are never opened, or closed with the call', async () => {
    const { api, target } = files()
    for (let i = 0; i < 20; i++) api.openLate('late')[Symbol.dispose]()
    expect(await api.echo(1)).toBe(1)
    expect(target.opened).toBe(0)
    using late = takeDescriptor(await api.openLate('late'))
    expect([nameOf(late), target.opened]).toEqual(['late', 1])
    await expect(api.openBadly().then(takeDescriptor)).rejects.toThrow('no such file')
    await expect(api.openNothing().then(takeDescriptor)).rejects.toThrow('gave no Descriptor')

    using file = named('given')
    api.exchange(passDescriptor(file))[Symbol.dispose]() // over, and its answer wanted by nobody
    await until(() => target.exchanged?.closed === true)
    expect(await api.echo(1)).toBe(1)
  })

  it('are not received before there is a session', async () => {
    const [near, far] = streamPair()
    const transport = structuredTransport(near)
    using file = named('early')
    for (let i = 0; i < 20; i++) sendValue(far, ['push', ['pipeline', 0, ['name'], [file]]])
    sendValue(far, ['pull', 20])
    await turns()
    expect(near.stats.received.frames).toBe(0)
    new RpcSession(transport, new Files())
    const [answer] = (await take(far, 1)).map((frame) => unpackValue(frame).value)
    expect(answer).toEqual(['resolve', 20, 'early'])
  })

  it('are refused when they are closed, and when something else came', async () => {
    const { api } = files()
    const file = named('closed')
    const passed = passDescriptor(file)
    file.close()
    expect(() => passDescriptor(file)).toThrow(ClosedError)
    expect(() => passDescriptor(7 as never)).toThrow(UsageError)
    await expect(api.name(passed).then()).rejects.toMatchObject({ code: 'ERR_PILLION_CLOSED' })
    await expect(api.name(new Uint8Array(0) as PassedDescriptor).then()).rejects.toThrow('something else')
    expect(await api.echo(1)).toBe(1)
  })

  it('leave no call pending when the peer refuses them', async () => {
    const [left, right] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
    const ends = [adopt(left), adopt(right, { acceptDescriptors: false })].map(destroyedAfterTest)
    const { api } = files({}, ends as [FrameStream, FrameStream])
    using file = named('refused')
    await expect(api.name(passDescriptor(file)).then()).rejects.toBeDefined()
  })
})

describe('a hostile peer of capnweb', () => {
  it.each([
    ['no message', 7],
    ['nothing', null],
    ['an unheard-of kind', ['unheard of']],
    ['a release of what it does not hold', ['release', -7, 1]],
    ['a release of more than it holds', ['release', 0, 1e9]],
    ['a call of what is not there', ['push', ['pipeline', 99, ['name'], [[1]]]]],
    ['too many values', ['push', [Array(1001).fill(0)]]],
  ])('ends the session by %s', async (_what, message) => {
    const [left, right] = streamPair()
    new RpcSession(structuredTransport(left, { maxValues: 1000 }), new Files())
    right.on('frame', () => {})
    sendValue(right, message)
    // It says why, and is done when the peer is.
    await until(() => left.destroyed || right.stats.received.frames > 0)
    await right.end().catch(() => {})
    await until(() => left.destroyed)
  })

  it('does not reach prototypes', async () => {
    const [left, right] = streamPair()
    new RpcSession(structuredTransport(left), new Files())
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__defineGetter__']
    for (const [i, name] of names.entries()) {
      sendValue(right, ['push', ['pipeline', 0, [name], ['x']]])
      sendValue(right, ['pull', i + 1])
    }
    const answers = (await take(right, names.length)).map((frame) => unpackValue(frame).value as unknown[])
    expect(answers.map(([kind]) => kind)).toEqual(names.map(() => 'reject'))
  })
})
