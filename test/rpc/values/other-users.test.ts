/**
 * msgpackr's extensions, structures and buffers are global to the process. Somebody else who uses them is neither
 * disturbed by sessions, nor disturbs them.
 */
import { addExtension, Packr, pack, RESET_BUFFER_MODE, Unpackr, unpack } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { RpcTarget } from '../../../src/rpc/index.js'
import { sessionsOf } from '../../support/rpc-sessions.js'

class Money {
  readonly cents: number

  constructor(cents: number) {
    this.cents = cents
  }
}

// For classes that sessions send as well.
for (const [i, Class] of [Object, Uint8Array, Date, Map, Error].entries()) {
  addExtension({ Class, type: 0x20 + i, pack: () => Buffer.from([1]), unpack: () => 'theirs' })
}
// Extensions that come later come first.
addExtension({
  Class: Money,
  type: 0x11,
  pack: ({ cents }: Money) => Buffer.from([cents]),
  unpack: (bytes: Uint8Array) => new Money(bytes[0] as number),
})
// The least that everybody would notice: a reader for what stands for undefined.
addExtension({ type: 0x12, unpack: () => undefined })

class Echo extends RpcTarget {
  echo(value: unknown): unknown {
    return value
  }
}

const ours = {
  numbers: Array.from({ length: 128 }, (_, i) => i), // also where records have their numbers
  bytes: new Uint8Array([1, 2]),
  buffer: Buffer.from('b').subarray(0),
  date: new Date(1),
  map: new Map([[{ a: 1 }, new Set([1])]]),
  error: Object.assign(new TypeError('x'), { stack: 'TypeError: x' }),
  bare: Object.assign(Object.create(null), { constructor: 1, toJSON: 2 }) as unknown,
  none: undefined,
}
const back = { ...ours, buffer: new Uint8Array([98]), bare: { constructor: 1, toJSON: 2 } }

describe('somebody else who uses msgpackr', () => {
  const theirs = new Packr({ structuredClone: true, moreTypes: true, useRecords: true, structures: [] })
  const cyclic: { money: Money; self?: unknown; list: unknown[] } = { money: new Money(5), list: [{ a: 1 }, { a: 2 }] }
  cyclic.self = cyclic

  it('does not disturb sessions', async () => {
    const { api } = sessionsOf(new Echo())
    expect(await api.echo(ours as never)).toStrictEqual(back)
  })

  it('is not disturbed by sessions, whose calls come in between', async () => {
    const { api } = sessionsOf(new Echo())
    for (let i = 0; i < 5; i++) {
      const packed = theirs.pack(cyclic)
      expect(await api.echo(ours as never)).toStrictEqual(back)
      const read = theirs.unpack(packed) as typeof cyclic
      expect(read.self).toBe(read)
      expect(read.money).toBeInstanceOf(Money)
      expect(unpack(pack(new Money(7)))).toEqual(new Money(7))
    }
  })

  it('may give msgpackr a buffer to write to, which sessions do not touch', async () => {
    const { api } = sessionsOf(new Echo())
    const packr = new Packr()
    const buffer = Buffer.alloc(16 * 1024)
    packr.useBuffer(buffer)
    const untouched = Buffer.from(buffer)
    expect(await api.echo({ list: ['somewhere else'] })).toEqual({ list: ['somewhere else'] })
    expect(buffer.equals(untouched)).toBe(true)
    expect(packr.pack('here').buffer).toBe(buffer.buffer)
  })

  it('may write over what msgpackr gave out before, which is never what sessions send', async () => {
    const { api } = sessionsOf(new Echo())
    const packr = new Packr()
    const calls = [0, 1, 2, 3].map((i) => {
      const call = api.echo({ call: i, text: 'x'.repeat(50) })
      packr.pack('!'.repeat(200), RESET_BUFFER_MODE) // before the call has left
      return call
    })
    expect(await Promise.all(calls)).toEqual([0, 1, 2, 3].map((i) => ({ call: i, text: 'x'.repeat(50) })))
  })

  it('may make a call from within an extension', async () => {
    const { api } = sessionsOf(new Echo())
    class Calling {}
    const calls: Promise<unknown>[] = []
    addExtension({
      Class: Calling,
      type: 0x13,
      pack: () => {
        calls.push(Promise.resolve(api.echo(['packing']) as PromiseLike<unknown>))
        return Buffer.from([9])
      },
      unpack: ([byte]: Uint8Array) => {
        calls.push(Promise.resolve(api.echo(['unpacking']) as PromiseLike<unknown>))
        return byte
      },
    })
    const packed = new Packr().pack([1, new Calling(), { after: 'it' }])
    expect(new Unpackr({ mapsAsObjects: true }).unpack(packed)).toEqual([1, 9, { after: 'it' }])
    expect(await Promise.all(calls)).toEqual([['packing'], ['unpacking']])
  })
})
