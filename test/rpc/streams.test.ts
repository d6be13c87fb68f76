import { describe, expect, test } from 'vitest'
import { RpcSession, type RpcStub, RpcTarget } from '../../src/rpc/index.js'
import { Descriptor, pair } from '../../src/stream/index.js'
import { nothingLeft, type PairOptions, rpcPair, rpcProxy } from '../support/rpc-pairs.js'
import { named, nameOf, pattern, same, turns, until } from '../support/streams.js'

class Numbers extends RpcTarget {
  async *count(to: number) {
    for (let i = 0; i < to; i++) yield i
  }

  *countNow(to: number) {
    for (let i = 0; i < to; i++) yield i
  }

  readable(to: number): ReadableStream<number> {
    let i = 0
    return new ReadableStream({
      pull: (controller) => (i < to ? controller.enqueue(i++) : controller.close()),
    })
  }

  async sum(numbers: AsyncIterable<number> | ReadableStream<number>) {
    let sum = 0
    for await (const number of numbers) sum += number
    return sum
  }

  async length(chunks: ReadableStream<Uint8Array>) {
    let length = 0
    for await (const chunk of chunks) length += chunk.length
    return length
  }

  async fill(stream: WritableStream<number>, to: number) {
    const writer = stream.getWriter()
    for (let i = 0; i < to; i++) await writer.write(i)
    await writer.close()
  }

  written: unknown[] = []
  aborted: unknown
  closed = 0
  sink(): WritableStream<unknown> {
    return new WritableStream({
      write: (chunk) => void this.written.push(chunk),
      close: () => void this.closed++,
      abort: (reason) => {
        this.aborted = reason
      },
    })
  }
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const seen: T[] = []
  for await (const value of values) seen.push(value)
  return seen
}

/** A source that counts what was taken of it, and remembers how it ended. */
function counted(chunk: () => unknown, limit = Number.POSITIVE_INFINITY) {
  const source = {
    produced: 0,
    cancelled: [] as unknown[],
    stream: new ReadableStream<unknown>(
      {
        pull(controller) {
          if (source.produced === limit) return controller.close()
          source.produced++
          controller.enqueue(chunk())
        },
        cancel: (reason) => void source.cancelled.push(reason),
      },
      { highWaterMark: 0 },
    ),
  }
  return source
}

const ways: readonly (readonly [string, typeof rpcPair, PairOptions])[] = [
  ['over sockets', rpcPair, { over: 'sockets' }],
  ['in memory', rpcPair, { over: 'memory' }],
  ['through a third vat', rpcProxy as typeof rpcPair, { over: 'sockets' }],
]

describe.each(ways)('streams %s', (_name, vats, options) => {
  test('an async generator, a generator and a ReadableStream are results', async () => {
    const { api, client, server } = vats(new Numbers(), options)
    const expected = [0, 1, 2, 3, 4]
    expect(await all(await api.count(5))).toEqual(expected)
    expect(await all((await api.countNow(5)) as unknown as AsyncIterable<number>)).toEqual(expected)
    expect(await all(await api.readable(5))).toEqual(expected)
    await nothingLeft(client, server)
  })

  test('an async generator, a generator, a ReadableStream and a plain async iterable are arguments', async () => {
    const { api, client, server } = vats(new Numbers(), options)
    const main = new Numbers()
    expect(await api.sum(main.count(100))).toBe(4950)
    expect(await api.sum(main.countNow(100) as never)).toBe(4950)
    expect(await api.sum(main.readable(100))).toBe(4950)
    expect(await api.sum({ [Symbol.asyncIterator]: () => main.count(100) })).toBe(4950)
    await nothingLeft(client, server)
  })

  test('a WritableStream is an argument, and a result', async () => {
    const { api, client, server } = vats(new Numbers(), options)
    const local = new Numbers()
    await api.fill(local.sink() as WritableStream<number>, 5)
    expect(local.written).toEqual([0, 1, 2, 3, 4])
    expect(local.closed).toBe(1)

    const main = new Numbers()
    const other = vats(main, options)
    const writer = (await other.api.sink()).getWriter()
    for (const chunk of ['a', { b: 1 }, new Date(5)]) await writer.write(chunk)
    await writer.close()
    expect(main.written).toEqual(['a', { b: 1 }, new Date(5)])
    expect(main.closed).toBe(1)
    await nothingLeft(client, server)
    await nothingLeft(other.client, other.server)
  })

  test('streams lie as deep in a value as anything', async () => {
    class Deep extends RpcTarget {
      async join(value: { list: { stream: AsyncIterable<string> }[] }) {
        const parts: string[] = []
        for (const { stream } of value.list) parts.push(...(await all(stream)))
        return { joined: new Map([['parts', await new Numbers().readable(parts.length)]]) }
      }
    }
    const { api, client, server } = vats(new Deep(), options)
    async function* words(...given: string[]) {
      yield* given
    }
    const result = await api.join({ list: [{ stream: words('a', 'b') }, { stream: words('c') }] })
    expect(await all(result.joined.get('parts') as ReadableStream<number>)).toEqual([0, 1, 2])
    await nothingLeft(client, server)
  })

  test('bytes come as they are, whatever the length of the chunks', async () => {
    const lengths = [0, 1, 4095, 4096, 65_536, 1_500_000]
    class Bytes extends RpcTarget {
      async *chunks() {
        for (const length of lengths) yield pattern(length, length)
      }
    }
    const { api } = vats(new Bytes(), options)
    const chunks = await all(await api.chunks())
    expect(chunks.map((chunk, i) => same(chunk, pattern(lengths[i] as number, lengths[i] as number)))).toEqual(
      lengths.map(() => true),
    )
  })

  test('chunks move: stubs and descriptors in them are the reader’s', async () => {
    class Mixed extends RpcTarget {
      async *chunks() {
        yield { file: named('first'), callback: (x: number) => x + 1 }
        yield named('second')
      }
    }
    const { api, client, server } = vats(new Mixed(), options)
    const seen: unknown[] = []
    for await (const chunk of (await api.chunks()) as AsyncIterable<unknown>) {
      if (chunk instanceof Descriptor) {
        seen.push(nameOf(chunk))
        chunk.close()
      } else {
        using both = chunk as { file: Descriptor; callback: RpcStub<(x: number) => number> } & Disposable
        seen.push(nameOf(both.file), await both.callback(1))
      }
    }
    expect(seen).toEqual(['first', 2, 'second'])
    await nothingLeft(client, server)
  })

  test('a chunk with a promise in it is not overtaken', async () => {
    const order: unknown[] = []
    class Slow extends RpcTarget {
      async later(value: number) {
        await turns()
        return value
      }

      async read(values: AsyncIterable<unknown>) {
        for await (const value of values) order.push(value)
      }
    }
    const { api, client, server } = vats(new Slow(), options)
    async function* values() {
      yield [api.later(1)]
      yield [2]
      yield [api.later(3)]
    }
    await api.read(values())
    expect(order).toEqual([[1], [2], [3]])
    await nothingLeft(client, server)
  })

  test.each([
    [1, 'a'.repeat(100)],
    [2, pattern(10_000)],
    [3, { many: Array(50).fill({ x: 1 }) }],
  ])('a source is no more than a window ahead of its reader (%i)', async (_i, chunk) => {
    const windowBytes = 50_000
    class Source extends RpcTarget {
      source = counted(() => chunk)
      open() {
        return this.source.stream as ReadableStream<never>
      }
    }
    const main = new Source()
    const { api, client, server } = vats(main, { ...options, windowBytes })
    const stream = (await api.open()) as unknown as ReadableStream<unknown>
    const reader = stream.getReader()
    await turns()
    expect(main.source.produced).toBe(0) // nobody has read
    await reader.read()
    await turns(20)
    // What it is encoded, and 256 bytes: docs/rpc-protocol.md.
    const weight = 256 + (chunk instanceof Uint8Array ? 6 + chunk.length : typeof chunk === 'string' ? 103 : 210)
    const most = Math.ceil(windowBytes / weight)
    expect(main.source.produced).toBeGreaterThan(1)
    expect(main.source.produced).toBeLessThanOrEqual(most + 1) // one has been read
    const before = main.source.produced
    for (let i = 1; i < before; i++) await reader.read()
    await until(() => main.source.produced > before, 'the source to go on')
    await turns(20)
    expect(main.source.produced).toBeLessThanOrEqual(before + most)
    await reader.cancel('enough')
    expect(main.source.cancelled).toEqual(['enough'])
    await nothingLeft(client, server)
  })

  test('a writer is no more than a window ahead of the other end', async () => {
    const windowBytes = 50_000
    const gate = withResolvers()
    let taken = 0
    class Sink extends RpcTarget {
      sink() {
        return new WritableStream<Uint8Array>({
          async write() {
            taken++
            await gate.promise
          },
        })
      }
    }
    const { api, client, server } = vats(new Sink(), { ...options, windowBytes })
    const writer = (await api.sink()).getWriter()
    let written = 0
    const writing = (async () => {
      for (; written < 100; written++) await writer.write(pattern(10_000))
      await writer.close()
    })()
    await until(() => taken === 1, 'the first chunk to arrive')
    await turns(20)
    expect(written).toBeGreaterThanOrEqual(4)
    expect(written).toBeLessThanOrEqual(8)
    gate.resolve()
    await writing
    expect(taken).toBe(100)
    await nothingLeft(client, server)
  })

  test('memory that a writer uses again once its write is done is not what arrives', async () => {
    const seen: boolean[] = []
    class Sink extends RpcTarget {
      sink() {
        return new WritableStream<Uint8Array>({
          async write(chunk) {
            await turns(1) // slower than the writer
            seen.push(same(chunk, pattern(chunk.length, seen.length)))
          },
        })
      }
    }
    const { api, client, server } = vats(new Sink(), options)
    const writer = (await api.sink()).getWriter()
    const lengths = Array.from({ length: 40 }, (_, i) => [100, 20_000, 65_536, 300_000][i % 4] as number)
    const memory = new Uint8Array(300_000)
    for (const [i, length] of lengths.entries()) {
      const chunk = memory.subarray(0, length)
      chunk.set(pattern(length, i))
      await writer.write(chunk)
      memory.fill(0xff)
    }
    await writer.close()
    expect(seen).toEqual(lengths.map(() => true))
    await nothingLeft(client, server)
  })

  test('what ends the source is told behind what it gave before', async () => {
    class Failing extends RpcTarget {
      async *values() {
        yield 1
        yield 2
        throw Object.assign(new RangeError('no more'), { code: 'ENOMORE' })
      }
    }
    const { api, client, server } = vats(new Failing(), options)
    const seen: unknown[] = []
    const reading = (async () => {
      for await (const value of await api.values()) {
        await turns()
        seen.push(value)
      }
    })()
    await expect(reading).rejects.toMatchObject({
      type: 'failed',
      message: 'no more',
      cause: { name: 'RangeError', code: 'ENOMORE' },
    })
    expect(seen).toEqual([1, 2])
    await nothingLeft(client, server)
  })

  test('a chunk that cannot travel ends its stream, and nothing else', async () => {
    class Odd extends RpcTarget {
      ended = 0
      async *values() {
        try {
          yield { fine: 1 }
          yield { odd: new (class Odd {})() }
        } finally {
          this.ended++
        }
      }
    }
    const main = new Odd()
    const { api, client, server } = vats(main, options)
    await expect(all(await api.values())).rejects.toThrow('chunk[0].odd: a Odd cannot travel')
    expect(main.ended).toBe(1)
    await nothingLeft(client, server)
  })

  test('a reader that stops early stops the source', async () => {
    class Endless extends RpcTarget {
      ended = 0
      async *values() {
        try {
          for (let i = 0; ; i++) yield i
        } finally {
          this.ended++
        }
      }
    }
    const main = new Endless()
    const { api, client, server } = vats(main, options)
    for await (const value of await api.values()) if (value === 3) break
    expect(main.ended).toBe(1)
    await nothingLeft(client, server)
  })

  test('a source that has nothing is stopped while it waits', async () => {
    const source = counted(() => 0)
    class Idle extends RpcTarget {
      open() {
        return new ReadableStream<never>({
          pull: () => new Promise(() => {}),
          cancel: (reason) => void source.cancelled.push(reason),
        })
      }
    }
    const { api, client, server } = vats(new Idle(), options)
    const reader = (await api.open()).getReader()
    const read = reader.read()
    await turns()
    await reader.cancel({ because: 'of this' })
    expect(await read).toEqual({ done: true, value: undefined })
    expect(source.cancelled).toEqual([{ because: 'of this' }])
    await nothingLeft(client, server)
  })

  test('a writer’s abort reaches the stream, with its reason', async () => {
    const main = new Numbers()
    const { api, client, server } = vats(main, options)
    const writer = (await api.sink()).getWriter()
    await writer.write(1)
    await writer.abort(new TypeError('given up'))
    expect(main.written).toEqual([1])
    expect(main.aborted).toMatchObject({ message: 'given up' })
    expect(main.closed).toBe(0)

    const unwritten = await api.sink()
    main.aborted = undefined
    await unwritten.abort(new Error('not even begun'))
    expect(main.aborted).toMatchObject({ message: 'not even begun' })
    await nothingLeft(client, server)
  })

  test('what a sink fails with reaches its writer, also one that waits', async () => {
    class Full extends RpcTarget {
      sink() {
        return new WritableStream<number>({
          write(chunk) {
            if (chunk === 2) throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
          },
        })
      }
    }
    const { api, client, server } = vats(new Full(), options)
    const writer = (await api.sink()).getWriter()
    await writer.write(1)
    await writer.write(2).catch(() => {})
    await expect(writer.closed).rejects.toMatchObject({ message: 'disk full' })
    await expect(writer.write(3)).rejects.toMatchObject({ message: 'disk full' })
    await nothingLeft(client, server)
  })

  test('closing tells what the sink’s close failed with', async () => {
    class Late extends RpcTarget {
      sink() {
        return new WritableStream<number>({
          close() {
            throw new Error('not synced')
          },
        })
      }
    }
    const { api } = vats(new Late(), options)
    const writer = (await api.sink()).getWriter()
    await writer.write(1)
    writer.closed.catch(() => {})
    await expect(writer.close()).rejects.toThrow('not synced')
  })

  test('a stream that its callee leaves alone is ended with the call, one that it has begun to read is not', async () => {
    let kept: ReadableStreamDefaultReader<unknown> | undefined
    class Callee extends RpcTarget {
      leave(_stream: unknown, _iterable: unknown, _sink: unknown) {}
      keep(stream: ReadableStream<unknown>) {
        kept = stream.getReader()
      }
    }
    const { api, client, server } = vats(new Callee(), options)
    const left = counted(() => 1)
    const local = new Numbers()
    let returned = 0
    const iterator = {
      [Symbol.asyncIterator]() {
        return this
      },
      next: async () => ({ done: false as const, value: 1 }),
      return: async () => {
        returned++
        return { done: true as const, value: undefined }
      },
    }
    await api.leave(left.stream, iterator, local.sink())
    await until(() => left.cancelled.length === 1 && returned === 1 && local.aborted !== undefined, 'all to be ended')
    expect(left.cancelled).toMatchObject([{ message: 'the reader has gone' }])
    expect(local.aborted).toMatchObject({ message: 'the writer has gone' })

    const read = counted(() => 'x', 3)
    await api.keep(read.stream)
    await turns()
    expect(read.cancelled).toEqual([])
    for (let i = 0; i < 3; i++) expect(await kept?.read()).toEqual({ done: false, value: 'x' })
    expect(await kept?.read()).toEqual({ done: true, value: undefined })
    await nothingLeft(client, server)
  })

  test('a stream in a result that is disposed of is ended, unless somebody reads it', async () => {
    class Two extends RpcTarget {
      sources = [counted(() => 1), counted(() => 2, 2)]
      open() {
        return { left: this.sources[0]?.stream, read: this.sources[1]?.stream } as never
      }
    }
    const main = new Two()
    const { api, client, server } = vats(main, options)
    let reader: ReadableStreamDefaultReader<unknown>
    {
      using result = (await api.open()) as { left: ReadableStream; read: ReadableStream } & Disposable
      reader = result.read.getReader()
    }
    await until(() => main.sources[0]?.cancelled.length === 1, 'the other to be cancelled')
    expect(await reader.read()).toEqual({ done: false, value: 2 })
    expect(await reader.read()).toEqual({ done: false, value: 2 })
    expect((await reader.read()).done).toBe(true)
    await nothingLeft(client, server)
  })
})

describe('streams', () => {
  test('the end of the session ends both ends', async () => {
    const main = new Numbers()
    const source = counted(() => 'x'.repeat(1000))
    class Both extends RpcTarget {
      open() {
        return source.stream as ReadableStream<never>
      }
      sink() {
        return main.sink()
      }
    }
    const [left, right] = pair()
    const client = new RpcSession<Both>(left)
    const server = new RpcSession(right, new Both())
    const api = client.getRemoteMain()
    const reader = (await api.open()).getReader()
    const writer = (await api.sink()).getWriter()
    await writer.write(1)
    await reader.read()
    await server.close()
    await expect(
      (async () => {
        for (;;) if ((await reader.read()).done) return
      })(),
    ).rejects.toMatchObject({ type: 'disconnected' })
    await expect(writer.closed).rejects.toMatchObject({ type: 'disconnected' })
    await until(() => source.cancelled.length === 1, 'the source to be cancelled')
    expect(main.aborted).toMatchObject({ type: 'disconnected' })
    api[Symbol.dispose]()
    await client.close()
  })

  test('a stream that is locked cannot travel, and the error says where it is', async () => {
    const { api } = rpcPair(new Numbers())
    const stream = new Numbers().readable(1)
    stream.getReader()
    await expect(api.sum(stream)).rejects.toThrow('args[0]: a ReadableStream that is locked cannot travel')
  })

  test('a call that cannot be encoded leaves its streams alone', async () => {
    const { api } = rpcPair(new Numbers())
    const stream = new Numbers().readable(3)
    await expect(api.sum([stream, Symbol('no')] as never)).rejects.toThrow('args[0][1]: a symbol cannot travel')
    expect(await all(stream)).toEqual([0, 1, 2])
    const twice = new Numbers().readable(3)
    await expect(api.sum([twice, twice] as never)).rejects.toThrow('args[0][1]: a stream cannot be in a value twice')
    expect(await all(twice)).toEqual([0, 1, 2])
  })

  test('thousands of small chunks are no more calls at once than a session serves', async () => {
    const { api } = rpcPair(new Numbers(), { limits: { calls: 50 } })
    const stream = await api.readable(5000)
    const reader = stream.getReader()
    await reader.read()
    await turns(20) // the window is full of them by now
    let read = 1
    while (!(await reader.read()).done) read++
    expect(read).toBe(5000)
  })

  test('more is streamed than may wait for the peer', async () => {
    const limit = 4 * 1024 * 1024
    const { api } = rpcPair(new Numbers(), { limits: { queuedBytes: limit }, windowBytes: 1024 * 1024 })
    const source = counted(() => pattern(65_536), 300)
    expect(await api.length(source.stream as ReadableStream<Uint8Array>)).toBe(300 * 65_536)
    expect(300 * 65_536).toBeGreaterThan(4 * limit)
  })
})

function withResolvers() {
  let resolve!: () => void
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
