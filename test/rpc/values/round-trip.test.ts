/**
 * Values arrive at the other side as what they were: every kind that can travel, alone and inside the others.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RpcError, RpcTarget } from '../../../src/rpc/index.js'
import { sessionsOf } from '../../support/rpc-sessions.js'

class Echo extends RpcTarget {
  echo(value: unknown): unknown {
    return value
  }

  /** As the callee sees it. */
  inspect(value: unknown): string {
    return String((value as { constructor?: { name: string } }).constructor?.name)
  }
}

async function echo(value: unknown): Promise<unknown> {
  const { api } = sessionsOf(new Echo())
  return api.echo(value as never)
}

const values: Readonly<Record<string, unknown>> = {
  'the smallest integers': [0, 1, -1, 31, 32, 127, 128, -32, -33, -128, -129],
  'integers at the edges of 16 and 32 bits': [
    255,
    256,
    65_535,
    65_536,
    -32_768,
    -32_769,
    2 ** 31,
    -(2 ** 31),
    2 ** 32 - 1,
  ],
  'integers beyond 32 bits': [2 ** 32, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  'fractions and extremes': [0.1, -1.5, Number.MAX_VALUE, Number.MIN_VALUE, Number.EPSILON],
  'the infinities': [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  NaN: Number.NaN,
  'minus zero': -0,
  'minus zero inside': [-0, { a: -0 }, new Map([[1, -0]])],
  undefined: undefined,
  'undefined in an array': [undefined, 1, undefined],
  'undefined in an object': { a: undefined, b: 1 },
  null: null,
  booleans: [true, false],
  'strings of all lengths': [
    '',
    'a',
    'é',
    'x'.repeat(31),
    'x'.repeat(32),
    'é'.repeat(40),
    'x'.repeat(256),
    'x'.repeat(65_536),
  ],
  'strings beyond the basic plane': ['𝒳', '👩‍👩‍👧‍👦', '\0', '\uFEFF'],
  bigints: [0n, 1n, -1n, 2n ** 63n, -(2n ** 63n), 2n ** 64n, 16n ** 16_383n, -(16n ** 16_383n)],
  dates: [new Date(0), new Date(-1), new Date(8.64e15), new Date(-8.64e15)],
  'a regular expression': /a(?<b>c)\/d/giu,
  'a URL': new URL('https://user@example.org:8080/a%20b?c=d#e'),
  'a map': new Map<unknown, unknown>([
    ['a', 1],
    [2, 'b'],
    [null, undefined],
    [undefined, null],
    [Number.NaN, -0],
  ]),
  'a map with objects as keys': new Map<unknown, unknown>([
    [{ a: 1 }, [1]],
    [[1], new Map([[new Date(1), new Set([1])]])],
  ]),
  'a set': new Set<unknown>([1, '1', undefined, { a: [] }, new Set([new Map()])]),
  'empty ones': [[], {}, new Map(), new Set(), new Uint8Array(0), ''],
  'the key NUL': { '\0': [1], a: { '\0': { '\0': undefined } } },
  'keys that mean something elsewhere': {
    constructor: 1,
    toString: 'x',
    hasOwnProperty: null,
    toJSON: 1,
    length: 2,
    '': 3,
    // biome-ignore lint/suspicious/noThenProperty: data of that name may travel
    then: 4,
    prototype: {},
  },
  'an array of holes and values': [1, undefined, 3],
  'a deep value': nested(48),
  'large arrays': [
    Array.from({ length: 15 }, (_, i) => i),
    Array.from({ length: 16 }, () => 'x'),
    Array.from({ length: 70_000 }, () => 7),
  ],
  'large objects': Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`key ${i}`, i])),
  bytes: [new Uint8Array([1, 2, 3]), new Uint8Array(256).fill(7), new Uint8Array(70_000).fill(9)],
}

function nested(depth: number): unknown {
  let value: unknown = 'bottom'
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}

describe('a value that goes there and back', () => {
  it.each(Object.entries(values))('is the same: %s', async (_name, value) => {
    expect(await echo(value)).toStrictEqual(value)
  })

  it('has undefined where an array had holes', async () => {
    // biome-ignore lint/suspicious/noSparseArray: that is what is tested
    expect(await echo([, 1, , 2, ,])).toStrictEqual([undefined, 1, undefined, 2, undefined])
  })

  it('is an invalid Date, if it was one', async () => {
    const date = (await echo(new Date(Number.NaN))) as Date
    expect(date).toBeInstanceOf(Date)
    expect(date.getTime()).toBeNaN()
  })

  it('is an ordinary object, if it was one without a prototype', async () => {
    const object = Object.assign(Object.create(null), { a: 1, constructor: 2, toJSON: 3 })
    expect(await echo(object)).toStrictEqual({ a: 1, constructor: 2, toJSON: 3 })
  })

  it('has U+FFFD for half a surrogate pair', async () => {
    expect(await echo(['a\uD800b', '\uDC00', '\uD83D\uDE00'])).toEqual(['a\uFFFDb', '\uFFFD', '\uD83D\uDE00'])
  })

  it('has a Uint8Array for a Buffer, with memory of its own', async () => {
    const buffer = Buffer.from('abc')
    const back = (await echo(buffer)) as Uint8Array
    expect(Object.getPrototypeOf(back)).toBe(Uint8Array.prototype)
    expect([...back]).toEqual([97, 98, 99])
    expect(back.byteOffset).toBe(0)
    expect(back.buffer.byteLength).toBe(3)
  })

  it('has the part of a buffer that a view shows, and no more', async () => {
    const { buffer } = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])
    for (const view of [
      new Uint8Array(buffer, 3, 5),
      new Int8Array(buffer, 3, 5),
      new Uint8ClampedArray(buffer, 3, 5),
      new Int16Array(buffer, 2, 2),
      new Uint16Array(buffer, 2, 2),
      new Int32Array(buffer, 4, 2),
      new Uint32Array(buffer, 4, 2),
      new BigInt64Array(buffer, 8, 1),
      new BigUint64Array(buffer, 8, 1),
      new Float32Array(buffer, 4, 2),
      new Float64Array(buffer, 8, 1),
      new DataView(buffer, 3, 5),
    ]) {
      const back = (await echo(view)) as typeof view
      expect(back).toStrictEqual(view)
      expect(back.buffer.byteLength).toBe(view.byteLength)
    }
    expect(await echo(buffer)).toStrictEqual(buffer)
  })

  it('carries an error with its name, message, code and cause', async () => {
    const error = Object.assign(new RangeError('too far', { cause: { at: [1n] } }), { code: 'EFAR' })
    const back = (await echo(error)) as RangeError & { code: string }
    expect(back).toBeInstanceOf(RangeError)
    expect(back).toMatchObject({ name: 'RangeError', message: 'too far', code: 'EFAR', cause: { at: [1n] } })
    expect(back.stack).toBe('RangeError: too far')
  })

  it('carries an error of a class of one’s own by its name', async () => {
    const back = (await echo(Object.assign(new Error('x'), { name: 'MyError', code: 7 }))) as Error
    expect(back).toBeInstanceOf(Error)
    expect(back).toMatchObject({ name: 'MyError', message: 'x', code: 7 })
    expect('cause' in back).toBe(false)
  })

  it('carries an RpcError as one, with its type', async () => {
    const back = await echo(new RpcError('overloaded', 'later', { cause: new Error('inner') }))
    expect(back).toBeInstanceOf(RpcError)
    expect(back).toMatchObject({ type: 'overloaded', message: 'later', cause: { message: 'inner' } })
  })

  it('reads each property once', async () => {
    let reads = 0
    const object = {
      get a() {
        reads++
        return [reads]
      },
    }
    expect(await echo(object)).toEqual({ a: [1] })
    expect(reads).toBe(1)
  })

  it('may be encoded while another is being encoded', async () => {
    const { api } = sessionsOf(new Echo())
    let inner: unknown
    const object = {
      before: 'x'.repeat(100),
      get during() {
        inner = api.echo({ inner: [1, 2] })
        return 'outer'
      },
      after: [3],
    }
    expect(await api.echo(object)).toEqual({ before: 'x'.repeat(100), during: 'outer', after: [3] })
    expect(await inner).toEqual({ inner: [1, 2] })
  })

  it('may be large: 8 MiB of text, and of bytes', async () => {
    const text = 'é'.repeat(4 * 1024 * 1024)
    expect((await echo(text)) === text).toBe(true)
    const bytes = new Uint8Array(8 * 1024 * 1024).map((_, i) => i)
    expect(Buffer.compare((await echo(bytes)) as Uint8Array, bytes)).toBe(0)
  })

  it('is the same, whatever it is made of', async () => {
    const { api } = sessionsOf(new Echo())
    const text = fc.string({ unit: 'grapheme' })
    const key = text.filter((name) => name !== '__proto__')
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        text,
        fc.integer(),
        fc.double(),
        fc.bigInt(),
        fc.boolean(),
        fc.constantFrom(null, undefined, -0),
        fc.date(),
        fc.uint8Array(),
        fc.float64Array(),
        fc.int16Array(),
        fc.array(tie('any')),
        fc.dictionary(fc.oneof(key, fc.constant('\0')), tie('any'), { noNullPrototype: true }),
        fc.array(fc.tuple(tie('any'), tie('any'))).map((entries) => new Map(entries)),
        fc.array(tie('any')).map((members) => new Set(members)),
        fc.record({ message: text, cause: tie('any') }).map(({ message, cause }) => withoutStack(message, cause)),
      ),
    })).any
    await fc.assert(
      fc.asyncProperty(value, async (sent) => {
        expect(await api.echo(sent as never)).toStrictEqual(sent)
      }),
      { numRuns: 300 },
    )
  })
})

function withoutStack(message: string, cause: unknown): Error {
  return Object.assign(new TypeError(message, { ...(cause === undefined ? {} : { cause }) }), {
    stack: `TypeError: ${message}`,
  })
}
