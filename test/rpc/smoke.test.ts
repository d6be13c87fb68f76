import { fstatSync } from 'node:fs'
import { expect, test } from 'vitest'
import { localTarget, MemoryTransport, RpcSession, RpcStub, RpcTarget } from '../../src/rpc/index.js'
import { Descriptor, pair } from '../../src/stream/index.js'

class Counter extends RpcTarget {
  n = 0
  disposed = 0
  inc(by = 1) {
    this.n += by
    return this.n
  }
  get value() {
    return this.n
  }
  [Symbol.dispose]() {
    this.disposed++
  }
}
class Main extends RpcTarget {
  counters: Counter[] = []
  echo(x: unknown) {
    return x
  }
  counter() {
    const c = new Counter()
    this.counters.push(c)
    return c
  }
  async slow(x: number) {
    await new Promise((r) => setImmediate(r))
    return { x, list: [{ deep: 'y' }] }
  }
  callBack(fn: (x: number) => unknown) {
    return fn(42)
  }
  fail() {
    throw Object.assign(new TypeError('no'), { code: 'ENO' })
  }
  open() {
    return { d: Descriptor.memfd(new TextEncoder().encode('hello')), n: 1 }
  }
  size(d: Descriptor) {
    return fstatSync(d.fd).size
  }
  ids() {
    return [1, 2, 3]
  }
  keep: unknown
  identity(x: unknown) {
    return x
  }
}
function sessions() {
  const main = new Main()
  const [a, b] = MemoryTransport.pair()
  const client = new RpcSession<Main>(a)
  const server = new RpcSession(b, main)
  return { client, server, main, api: client.getRemoteMain() }
}
test('smoke', async () => {
  const { client, server, main, api } = sessions()
  for (const v of [
    1,
    -0,
    'x',
    null,
    undefined,
    true,
    1.5,
    [1, [2]],
    { a: { b: 1 } },
    new Date(5),
    12n,
    -(2n ** 70n),
    new Map([['a', { x: 1 }]]),
    new Set([1, 'a']),
    new Uint8Array([1, 2]),
    new Float64Array([1.5]),
    /a/g,
    new URL('http://x/y'),
    { '\0': [1] },
    Number.NaN,
  ]) {
    expect(await api.echo(v)).toEqual(v)
  }
  expect(await api.slow(4).list[0].deep).toBe('y')
  using c = api.counter()
  expect(await c.inc(2)).toBe(2)
  expect(await c.value).toBe(2)
  {
    using k = await api.counter()
    expect(await k.inc()).toBe(1)
    expect(k).toBeInstanceOf(RpcStub)
  }
  expect(await api.callBack((x) => x + 1)).toBe(43)
  await expect(api.fail()).rejects.toMatchObject({
    type: 'failed',
    message: 'no',
    cause: { code: 'ENO', name: 'TypeError' },
  })
  {
    using r = await api.open()
    expect(r.d.kind).toBe('memfd')
    expect(await api.size(r.d)).toBe(5)
  }
  expect(await api.ids().map((x) => api.echo([x, x]))).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ])
  const mine = new Counter()
  const home = (await api.identity(mine)) as never
  expect(localTarget(home)).toBe(mine)
  ;(home as Disposable)[Symbol.dispose]()
  await client.drain()
  await server.drain()
  expect(mine.disposed).toBe(1)
  expect(client.getStats()).toEqual({ imports: 2, exports: 0 })
  c[Symbol.dispose]()
  api[Symbol.dispose]()
  await client.close()
  await server.closed
  expect(main.counters.map((x) => x.disposed)).toEqual([1, 1])
  expect(client.getStats()).toEqual({ imports: 0, exports: 0 })
})
class Streams extends RpcTarget {
  async sum(stream: ReadableStream<Uint8Array>) {
    let sum = 0
    for await (const chunk of stream) sum += chunk.length
    return sum
  }

  async *count(to: number) {
    for (let i = 0; i < to; i++) yield i
  }
}

test('smoke over sockets, streams', async () => {
  const [a, b] = pair()
  const client = new RpcSession<Streams>(a)
  const server = new RpcSession(b, new Streams())
  using api = client.getRemoteMain()
  let left = 100
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left-- > 0) controller.enqueue(new Uint8Array(65_536))
      else controller.close()
    },
  })
  expect(await api.sum(stream)).toBe(6_553_600)
  const seen: number[] = []
  for await (const i of await api.count(5)) seen.push(i)
  expect(seen).toEqual([0, 1, 2, 3, 4])
  await client.drain()
  await client.close()
  await server.closed
})
