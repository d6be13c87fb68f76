/**
 * What cannot travel is refused where it is given, by a name that leads to it, and leaves nothing behind.
 */
import { describe, expect, it } from 'vitest'
import { type RpcError, RpcStub, RpcTarget } from '../../../src/rpc/index.js'
import { Descriptor } from '../../../src/stream/index.js'
import { expectNothingHeld, sessionsOf } from '../../support/rpc-sessions.js'

class Counted extends RpcTarget {
  disposed = 0;
  [Symbol.dispose](): void {
    this.disposed++
  }
}

class Main extends RpcTarget {
  take(...args: unknown[]): number {
    return args.length
  }

  /** A function cannot be given to a method as it is; here it makes the result. */
  makeResult: () => unknown = () => undefined
  give(): unknown {
    return this.makeResult()
  }
}

class Socket {
  readonly fd = 1
}

const cycle: { self?: unknown } = {}
cycle.self = { again: [cycle] }

/** Of two. */
function ring(): object {
  const first: { next?: object } = {}
  first.next = { next: first }
  return first
}

/** By way of a Set. */
function mapInItself(): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>([['before', 1]])
  return map.set('inner', new Set([map]))
}

function besideUndefined(): unknown[] {
  const list: unknown[] = [undefined]
  list.push(list)
  return list
}

function ownCause(): Error {
  const error = new Error('x')
  error.cause = error
  return error
}

const deep = (depth: number): unknown => (depth === 0 ? 'bottom' : [deep(depth - 1)])

const cannotTravel: readonly (readonly [string, () => unknown, RegExp])[] = [
  ['a symbol', () => Symbol('s'), /^args\[0\]: a symbol cannot travel/],
  [
    'a class instance',
    () => ({ handler: { socket: new Socket() } }),
    /^args\[0\]\.handler\.socket: a Socket cannot travel/,
  ],
  ['a WeakMap', () => [1, { 'not a name': new WeakMap() }], /^args\[0\]\[1\]\["not a name"\]: a WeakMap cannot travel/],
  ['a promise', () => ({ soon: Promise.resolve(1) }), /^args\[0\]\.soon: a promise cannot travel: await it first/],
  ['a cycle', () => cycle, /^args\[0\]\.self\.again\[0\]: a value that contains itself cannot travel/],
  [
    'a cycle further in',
    () => ({ list: [1, ring()] }),
    /^args\[0\]\.list\[1\]\.next\.next: a value that contains itself/,
  ],
  [
    'a Map in itself',
    () => mapInItself(),
    /^\[\.\.\.\[\.\.\.args\[0\]\]\[1\]\[1\]\]\[0\]: a value that contains itself/,
  ],
  ['a cycle with a mark at the bottom', () => besideUndefined(), /^args\[0\]\[1\]: a value that contains itself/],
  ['an error that is its own cause', () => ownCause(), /^args\[0\]\.cause: a value that contains itself/],
  ['what is nested too deep', () => deep(100), /^args(\[0\]){100}: nested deeper than 100 \(limits\.depth\)/],
  [
    'an undefined at the very bottom',
    () => [[[undefined]], [deepUndefined(96)]],
    /^args\[0\]\[1\](\[0\])+: nested deeper/,
  ],
  // biome-ignore lint/suspicious/noThenProperty: that is what is tested
  ['a method `then`', () => ({ job: { then: () => {} } }), /^args\[0\]\.job\.then: an object with a method `then`/],
  ['a key __proto__', () => [JSON.parse('{"__proto__": 1}')], /^args\[0\]\[0\]\.__proto__: .*cannot travel: use a Map/],
  [
    'a value of a Map',
    () =>
      new Map([
        ['a', 1 as unknown],
        ['b', { c: Symbol('s') }],
      ]),
    /^\[\.\.\.args\[0\]\]\[1\]\[1\]\.c: a symbol/,
  ],
  ['a member of a Set', () => ({ all: new Set([1, new Socket()]) }), /^\[\.\.\.args\[0\]\.all\]\[1\]: a Socket/],
  ['the cause of an error', () => new Error('x', { cause: new Socket() }), /^args\[0\]\.cause: a Socket/],
  ['a boxed number', () => Object(1), /^args\[0\]: a Number cannot travel/],
  ['a huge bigint', () => 16n ** 16_384n, /^args\[0\]: a bigint of more than 16384 digits/],
]

function deepUndefined(depth: number): unknown {
  return depth === 0 ? undefined : [deepUndefined(depth - 1)]
}

describe('what cannot travel', () => {
  it.each(cannotTravel)('is refused at the caller by its name: %s', async (_name, make, message) => {
    const sessions = sessionsOf(new Main())
    await expect(sessions.api.take(make())).rejects.toMatchObject({
      code: 'ERR_PILLION_USAGE',
      message: expect.stringMatching(message),
    })
    expect(await sessions.api.take(1)).toBe(1)
  })

  it('is refused as well where it is what a method returns', async () => {
    const main = new Main()
    const { api } = sessionsOf(main)
    main.makeResult = () => ({ list: [new Socket()] })
    const error = (await api.give().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )) as RpcError
    expect(error).toMatchObject({ code: 'ERR_PILLION_RPC', type: 'failed' })
    expect(error.message).toMatch(/^result\.list\[0\]: a Socket cannot travel/)
  })

  it('may be a Descriptor that is closed', async () => {
    const { api } = sessionsOf(new Main())
    const closed = Descriptor.memfd(new Uint8Array(1))
    closed.close()
    await expect(api.take(0, { files: [closed] })).rejects.toMatchObject({
      code: 'ERR_PILLION_CLOSED',
      message: expect.stringMatching(/^args\[1\]\.files\[0\]: /),
    })
  })

  it('may be a stub that is disposed of', async () => {
    const { api } = sessionsOf(new Main())
    const stub = new RpcStub(new Counted())
    stub[Symbol.dispose]()
    await expect(api.take({ stub } as never)).rejects.toMatchObject({
      code: 'ERR_PILLION_CLOSED',
      message: expect.stringMatching(/^args\[0\]\.stub: /),
    })
  })

  it('may be a promise in a Map, in a Set or as the cause of an error', async () => {
    const { api } = sessionsOf(new Main())
    const within = [
      (promise: unknown) => new Map([[1, promise]]),
      (promise: unknown) => new Set([promise]),
      (promise: unknown) => new Error('x', { cause: promise }),
    ]
    for (const container of within) {
      const promise = api.take() as unknown // a new one: what it has brought would travel as a value
      await expect(api.take(container(promise))).rejects.toThrow(
        /: a promise cannot travel in a map, in a set or as a part of an error/,
      )
      await promise
    }
  })
})

describe('a value that could not be sent', () => {
  it('leaves the caller what it lent, and closes what it duplicated', async () => {
    const sessions = sessionsOf(new Main())
    using descriptor = Descriptor.memfd(new Uint8Array(1))
    const counted = new Counted()
    using stub = new RpcStub(counted)
    await expect(sessions.api.take(descriptor, stub as never, new Counted(), Symbol('s'))).rejects.toThrow('args[3]')
    expect(descriptor.fd).toBeGreaterThan(2)
    expect(counted.disposed).toBe(0)
    await expectNothingHeld(sessions as never)
  })

  it('releases objects that were passed beside it', async () => {
    const { api } = sessionsOf(new Main())
    const counted = new Counted()
    await expect(api.take({ counted, bad: Symbol('s') } as never)).rejects.toThrow('args[0].bad')
    expect(counted.disposed).toBe(1)
  })

  it('closes the descriptors, and releases the stubs, that a method gave away', async () => {
    const main = new Main()
    const sessions = sessionsOf(main)
    const files = Array.from({ length: 4 }, () => Descriptor.memfd(new Uint8Array(1)))
    const counted = new Counted()
    const stub = new RpcStub(counted)
    main.makeResult = () => ({
      before: files[0],
      bad: new Socket(),
      after: [files[1], new Map([['k', files[2]]]), new Set([files[3]]), stub],
    })
    await expect(sessions.api.give()).rejects.toThrow('result.bad')
    expect(files.map((file) => file.closed)).toEqual([true, true, true, true])
    expect(counted.disposed).toBe(1)
    await expectNothingHeld(sessions as never)
  })

  it('leaves alone what an object has that was passed by reference', async () => {
    class Owner extends RpcTarget {
      readonly file = Descriptor.memfd(new Uint8Array(1))
    }
    const main = new Main()
    const { api } = sessionsOf(main)
    const owner = new Owner()
    main.makeResult = () => [owner, Symbol('s')]
    await expect(api.give()).rejects.toThrow('result[1]')
    expect(owner.file.closed).toBe(false)
    owner.file.close()
  })

  it('may be nested as deep as memory allows', async () => {
    const main = new Main()
    const { api } = sessionsOf(main)
    const file = Descriptor.memfd(new Uint8Array(1))
    let value: unknown = file
    for (let i = 0; i < 200_000; i++) value = [value]
    main.makeResult = () => value
    await expect(api.give()).rejects.toThrow('nested deeper')
    expect(file.closed).toBe(true)
  })

  it('is refused for its size before its bytes are made', async () => {
    const { api } = sessionsOf(new Main(), { limits: { values: 100 } })
    expect(await api.take(Array.from({ length: 99 }, () => 0))).toBe(1)
    await expect(api.take(Array.from({ length: 100 }, () => 0))).rejects.toThrow('args[0]: more than 100 values')
    await expect(api.take(new Array(2 ** 32 - 1))).rejects.toThrow('args[0]: more than 100 values')
  })

  it('is refused at the same size here as at the other side', async () => {
    const values = [[undefined], [-0], [1n], new Map([[1, 2]]), { '\0': 1 }, new Error('x'), [new Date(0), {}, []]]
    for (const value of values) {
      const { api } = sessionsOf(new Main())
      const outcomes: string[] = []
      for (let limit = 1; limit < 30; limit++) {
        const limited = sessionsOf(new Main(), { limits: { values: limit } })
        outcomes.push(
          await limited.api.take(value).then(
            () => 'taken',
            (error: { code: string }) => error.code,
          ),
        )
      }
      expect(new Set(outcomes)).toEqual(new Set(['ERR_PILLION_USAGE', 'taken'])) // and never ERR_PILLION_RPC, from the other side
      expect(await api.take(value)).toBe(1)
    }
  })
})
