/**
 * Messages about as long as a frame may be: to the byte, what fits is sent, and what does not ends no session.
 */
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  callContext,
  MemoryTransport,
  RpcError,
  type RpcOptions,
  RpcSession,
  RpcTarget,
  type RpcTransport,
} from '../../src/rpc/index.js'
import type { Message } from '../../src/rpc/machine/messages.js'
import { FrameStreamTransport } from '../../src/rpc/transports/frame-stream-transport.js'
import { PillionWire } from '../../src/rpc/wire/pillion-wire.js'
import { Descriptor, pair } from '../../src/stream/index.js'
import { promised } from './support/promised.js'
import { plain, until } from './support/waiting.js'

class Thing extends RpcTarget {}

class Main extends RpcTarget {
  kept: Disposable | undefined
  size(value: Uint8Array, ..._others: unknown[]) {
    return value.length
  }
  state() {
    return callContext().trace?.tracestate?.length ?? 0
  }
  bytes(length: number) {
    return new Uint8Array(length)
  }
  things(count: number, length: number) {
    return { things: Array.from({ length: count }, () => new Thing()), bytes: new Uint8Array(length) }
  }
  opened: Descriptor | undefined
  file(length: number) {
    this.opened = Descriptor.memfd(new Uint8Array(1))
    return { file: this.opened, bytes: new Uint8Array(length) }
  }
  async drain(stream: ReadableStream<Uint8Array>) {
    let bytes = 0
    for await (const chunk of stream) bytes += chunk.length
    return bytes
  }
  keep(stub: { dup(): Disposable }) {
    this.kept = stub.dup()
  }
  fail(message: string, cause?: string): never {
    throw new Error(message, cause === undefined ? {} : { cause })
  }
}

/** Remembers how long the frames were. */
class Measured {
  longest = 0
  readonly transport: RpcTransport

  constructor(inner: RpcTransport) {
    this.transport = new Proxy(inner, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target)
        if (typeof value !== 'function') return value
        if (key !== 'send') return value.bind(target)
        return (head: Uint8Array, content: readonly Uint8Array[], descriptors: readonly Descriptor[]) => {
          const length = content.reduce((sum, piece) => sum + piece.length, head.length)
          target.send(head, content, descriptors)
          this.longest = Math.max(this.longest, length)
        }
      },
    })
  }

  /** Of the frames since it was last asked. */
  take(): number {
    const { longest } = this
    this.longest = 0
    return longest
  }
}

const small = 700
/** Far beyond what is copied, or leaves in one piece. */
const large = 1024 * 1024

describe.each([
  ['sockets', small],
  ['sockets', large],
  ['memory', small],
  ['memory', large],
] as const)('over %s, with frames of up to %i bytes', (over, limit) => {
  function sessions(options: RpcOptions = {}) {
    const ends =
      over === 'memory'
        ? MemoryTransport.pair({ maxPayload: limit })
        : pair({ maxPayload: limit }).map((stream) => new FrameStreamTransport(stream))
    const [left, right] = ends.map((end) => new Measured(end)) as [Measured, Measured]
    const main = new Main()
    const client = new RpcSession<Main>(left.transport, {}, options)
    const server = new RpcSession(right.transport, main, options)
    const api = client.getRemoteMain()
    onTestFinished(async () => {
      main.kept?.[Symbol.dispose]()
      api[Symbol.dispose]()
      await client.close()
      await server.close()
    })
    const lives = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) expect(await api.size(new Uint8Array(i))).toBe(i)
      expect(server.getStats()).toEqual({ imports: 0, exports: 1 })
      expect(client.getStats()).toEqual({ imports: 1, exports: 0 })
    }
    return { api, client, server, left, right, main, lives }
  }

  /** How much it takes for a frame of the limit. */
  async function exact(call: (size: number) => PromiseLike<unknown>, sender: Measured): Promise<number> {
    const guess = limit - 200
    await call(guess)
    sender.take()
    await call(guess)
    return guess + limit - sender.take()
  }

  const tooLarge = { code: 'ERR_PILLION_FRAME_TOO_LARGE', name: 'FrameTooLargeError', origin: 'local', limit }

  test.each([
    ['by itself', () => []],
    ['with objects', () => Array.from({ length: 9 }, () => new Thing())],
    ['with functions and a descriptor', () => [() => {}, () => {}, Descriptor.memfd(new Uint8Array(1))]],
  ])('a call %s fits to the byte, or fails alone', async (_name, make) => {
    const { api, left, lives } = sessions()
    const others = make()
    onTestFinished(() => {
      for (const other of others) if (other instanceof Descriptor) other.close()
    })
    const call = (length: number) => plain(api.size(new Uint8Array(length), ...others))
    const length = await exact(call, left)
    for (const [size, frame] of [
      [length - 1, limit - 1],
      [length, limit],
    ] as const) {
      left.take()
      expect(await call(size)).toBe(size)
      expect(left.take()).toBe(frame)
    }
    for (const size of [length + 1, length + 2, 2 * limit]) await expect(call(size)).rejects.toMatchObject(tooLarge)
    expect(left.take()).toBeLessThan(limit)
    await lives()
  })

  test.each([1, 60])('so does one whose path is long, of %i names more', async (names) => {
    const { api, left, lives } = sessions()
    const call = async (length: number): Promise<unknown> => {
      let at = api as unknown as Record<string, never>
      for (let i = 0; i < names; i++) at = at.x as never
      const method = at['é'.repeat(length >> 1) + 'e'.repeat(length & 1)] as unknown as () => PromiseLike<unknown>
      return await method().then(
        () => undefined,
        (error) => error,
      )
    }
    const length = await exact(call, left)
    for (const size of [length - 1, length]) {
      left.take()
      expect(await call(size)).toMatchObject({ name: 'RpcError', origin: 'remote' })
      expect(left.take()).toBe(limit - length + size)
    }
    for (const size of [length + 1, 2 * limit]) expect(await call(size)).toMatchObject(tooLarge)
    await lives()
  })

  test('so does one whose trace is long', async () => {
    let state = 0
    let on = true
    const traceContext = () => (on ? { traceparent: 'p', tracestate: 's'.repeat(state) } : undefined)
    const { api, left, lives } = sessions({ traceContext })
    const padding = new Uint8Array(Math.max(0, limit - small))
    const call = async (length: number) => {
      state = length - padding.length
      await plain(api.size(padding))
    }
    const length = await exact(call, left)
    for (const size of [length - 1, length]) {
      left.take()
      await call(size)
      expect(left.take()).toBe(limit - length + size)
    }
    await expect(call(length + 1)).rejects.toMatchObject(tooLarge)
    on = false
    await lives()
  })

  test('results fit to the byte, or come as an exception', async () => {
    const { api, right, lives } = sessions()
    const calls: ((length: number) => Promise<unknown>)[] = [
      async (length) => plain(api.bytes(length)),
      async (length) => (await plain(api.things(9, length)))[Symbol.dispose](),
      async (length) => (await plain(api.file(length)))[Symbol.dispose](),
      async (length) => {
        using results = api.things(9, length) // called on, so the callee keeps them
        using thing = results.things[3]
        const called = plain((thing as unknown as { no(): PromiseLike<void> }).no())
        await expect(called).rejects.toBeInstanceOf(RpcError)
        ;(await plain(results))[Symbol.dispose]()
      },
    ]
    for (const call of calls) {
      const length = await exact(call, right)
      for (const size of [length - 1, length]) {
        right.take()
        await call(size)
        expect(right.take()).toBe(limit - length + size)
      }
      for (const size of [length + 1, 2 * limit]) {
        await expect(call(size)).rejects.toMatchObject({
          name: 'RpcError',
          type: 'failed',
          origin: 'remote',
          message: expect.stringContaining('maxPayload'),
          cause: { name: 'FrameTooLargeError', code: 'ERR_PILLION_FRAME_TOO_LARGE' },
        })
      }
      expect(right.take()).toBeLessThanOrEqual(limit)
      await lives()
    }
  })

  test('a chunk of a stream that is too long breaks the stream', async () => {
    const { api, lives } = sessions()
    const stream = (length: number) => new Blob([new Uint8Array(length)]).stream() as ReadableStream<Uint8Array>
    expect(await api.drain(stream(100))).toBe(100)
    const chunks = ReadableStream.from([new Uint8Array(100), new Uint8Array(limit)]) as ReadableStream<Uint8Array>
    await expect(plain(api.drain(chunks))).rejects.toMatchObject({ message: expect.stringContaining('maxPayload') })
    await lives()
  })

  test('an exception goes without what was thrown if that does not fit, and with its whole message', async () => {
    const { api, right, lives } = sessions()
    const call = (length: number) => plain(api.fail('no', 'c'.repeat(length))).catch((error: RpcError) => error)
    const length = await exact(call, right)
    for (const size of [length - 1, length]) {
      right.take()
      expect(await call(size)).toMatchObject({ message: 'no', cause: { cause: 'c'.repeat(size) } })
      expect(right.take()).toBe(limit - length + size)
    }
    const cut = (await call(length + 1)) as RpcError
    expect(cut).toMatchObject({ name: 'RpcError', type: 'failed', message: 'no' })
    expect(cut.cause).toBeUndefined()
    await lives()
  })
})

describe('with small frames', () => {
  const limit = 300

  function sessions() {
    const [a, b] = MemoryTransport.pair({ maxPayload: limit })
    const [left, right] = [new Measured(a), new Measured(b)]
    const main = new Main()
    const client = new RpcSession<Main>(left.transport)
    const server = new RpcSession(right.transport, main)
    const api = client.getRemoteMain()
    onTestFinished(async () => {
      main.kept?.[Symbol.dispose]()
      api[Symbol.dispose]()
      await client.close()
      await server.close()
    })
    return { api, left, right, main, server }
  }

  test.each(['a', 'é', '€', '😀'])('a reason of many %s is cut to what fits, between characters', async (letter) => {
    const { api, right } = sessions()
    // What the method is asked with must be shorter than what it throws.
    const thrower = new (class extends RpcTarget {
      fail(length: number): never {
        throw new Error(letter.repeat(length))
      }
    })()
    const [a, b] = MemoryTransport.pair({ maxPayload: limit })
    const measured = new Measured(b)
    const client = new RpcSession<typeof thrower>(a)
    const server = new RpcSession(measured.transport, thrower)
    onTestFinished(() => Promise.all([client.close(), server.close()]).then(() => {}))
    using failing = client.getRemoteMain()
    const bytes = Buffer.byteLength(letter)
    for (let length = 60; length <= limit + 10; length++) {
      const error = await plain(failing.fail(length)).catch((thrown: RpcError) => thrown)
      expect((error as RpcError).type).toBe('failed')
      const { message } = error as RpcError
      expect(message).toBe(letter.repeat(message.length / letter.length))
      if (length * bytes < limit - 20) expect(message).toBe(letter.repeat(length))
      else expect(Buffer.byteLength(message)).toBeGreaterThan(limit - 20 - bytes)
    }
    expect(measured.take()).toBeGreaterThan(limit - bytes)
    expect(await api.size(new Uint8Array(1))).toBe(1)
    expect(right.take()).toBeLessThan(limit)
  })

  test('what a promise is rejected with is cut in its Resolve', async () => {
    const { api, left, main, server } = sessions()
    const { stub, reject } = promised<RpcTarget>()
    await api.keep(stub as never)
    left.take()
    reject('r'.repeat(2 * limit))
    const told = new Promise<RpcError>((resolve) => {
      ;(main.kept as unknown as { onRpcBroken(callback: (error: RpcError) => void): void }).onRpcBroken(
        resolve as never,
      )
    })
    expect((await told).message).toMatch(/^r{200,}$/)
    expect(left.take()).toBe(limit)
    stub[Symbol.dispose]()
    expect(await api.size(new Uint8Array(1))).toBe(1)
    main.kept?.[Symbol.dispose]()
    await until(() => server.getStats().imports === 0)
  })
})

/** The other end says bytes, and shows what it heard. */
function tested(limit: number) {
  const [ours, theirs] = MemoryTransport.pair({ maxPayload: limit })
  const session = new RpcSession(theirs, {})
  session.closed.catch(() => {}) // that it ends badly is what some tests are about
  const wire = new PillionWire()
  const heard: Message[] = []
  let ended = false
  ours.start({
    onFrame: (bytes) => heard.push(wire.decode(Buffer.from(bytes))),
    onBatchEnd: () => {},
    onEnd: () => {
      ended = true
    },
  })
  onTestFinished(() => session.close())
  const say = async (bytes: Uint8Array): Promise<Message[]> => {
    ours.send(bytes, [], [])
    await new Promise((resolve) => setImmediate(resolve))
    return heard.splice(0)
  }
  return { say, session, hasEnded: () => ended }
}

test.each([60, 5000])('an echo that is longer than a frame, of %i bytes, is dropped', async (limit) => {
  const { say } = tested(limit)
  const unknown = (length: number) => Uint8Array.from({ length }, (_, i) => (i === 0 ? 99 : i & 0xff))
  for (const length of [limit - 2, limit - 1]) {
    expect(await say(unknown(length))).toEqual([{ type: 'unimplemented', message: unknown(length) }])
  }
  expect(await say(unknown(limit))).toEqual([])
  expect(await say(Uint8Array.of(9))).toEqual([{ type: 'unimplemented', message: Uint8Array.of(9) }])
})

test('the reason of an Abort is cut to what fits', async () => {
  const { say, hasEnded } = tested(40)
  const [abort, ...more] = await say(Uint8Array.of(0, 4, 0, 0)) // a finish that is not known
  expect(abort).toMatchObject({
    type: 'abort',
    exception: { reason: expect.stringMatching(/^the peer knows no mess/) },
  })
  expect(more).toEqual([])
  expect(hasEnded()).toBe(true)
})
