/**
 * The scan before decoding: what it lets pass, msgpackr decodes; what it refuses, it refuses for a reason that the page has.
 */
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { RpcError } from '../../../src/rpc/index.js'
import { scanValue } from '../../../src/rpc/values/scan.js'
import { unpack } from '../../../src/rpc/values/value-codec.js'
import { valueVectors } from '../vectors/vectors.js'

const limits = { depth: 100, count: 10_000 }
const reasons =
  /^a value that cannot be: (it is cut short|bytes follow it|byte 0x[\da-f]+ begins no value|an object has a key that is no string|an object has a key __proto__|it has more than \d+ values \(limits\.values\)|it is nested deeper than \d+ \(limits\.depth\)) \(at its byte \d+\)$/

/** Whether it passed. */
function scanned(bytes: Uint8Array): boolean {
  try {
    scanValue(bytes, limits)
  } catch (error) {
    expect(error).toBeInstanceOf(RpcError)
    expect(error).toMatchObject({ type: 'failed', origin: 'remote', message: expect.stringMatching(reasons) })
    return false
  }
  const value = unpack(bytes)
  expect(countOf(value)).toBeLessThanOrEqual(limits.count)
  return true
}

/** Elements, keys and members. */
function countOf(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0
  expect([Object.prototype, Array.prototype]).toContain(Object.getPrototypeOf(value))
  const members = Object.values(value)
  return members.reduce<number>(
    (sum, member) => sum + countOf(member),
    Array.isArray(value) ? members.length : 2 * members.length,
  )
}

const packr = new Packr({ useRecords: false, variableMapSize: true })
const plain = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 5 },
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.array(tie('any')),
    fc.dictionary(fc.string(), tie('any'), { noNullPrototype: true }),
  ),
})).any

describe('the scan of a value', () => {
  it('lets any plain value pass, and says whether there are marks or binaries in it', () => {
    fc.assert(
      fc.property(plain, (value) => {
        fc.pre(!JSON.stringify(value).includes('__proto__'))
        expect(scanned(packr.pack(value))).toBe(true)
      }),
      { numRuns: 500 },
    )
    expect(scanValue(packr.pack([1, { a: 'b' }]), limits)).toEqual({ marks: false, binaries: false })
    expect(scanValue(packr.pack({ '\0': 1 }), limits)).toEqual({ marks: true, binaries: false })
    expect(scanValue(packr.pack([Buffer.alloc(1)]), limits)).toEqual({ marks: false, binaries: true })
    expect(scanValue(packr.pack({ a: ['\0', { '\0': Buffer.alloc(1) }] }), limits)).toEqual({
      marks: true,
      binaries: true,
    })
    expect(scanValue(packr.pack(['\0']), limits)).toEqual({ marks: false, binaries: false })
  })

  it('lets nothing pass that msgpackr cannot decode: any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void scanned(bytes)),
      { numRuns: 20_000 },
    )
  })

  it('lets nothing pass that msgpackr cannot decode: values with some bytes changed, left out or put in', () => {
    const change = fc.record({ at: fc.nat(200), remove: fc.nat(3), insert: fc.uint8Array({ maxLength: 3 }) })
    let passed = 0
    fc.assert(
      fc.property(plain, fc.array(change, { minLength: 1, maxLength: 4 }), (value, changes) => {
        const bytes = [...packr.pack(value)]
        for (const { at, remove, insert } of changes) bytes.splice(at % (bytes.length + 1), remove, ...insert)
        if (scanned(Uint8Array.from(bytes))) passed++
      }),
      { numRuns: 10_000 },
    )
    expect(passed).toBeGreaterThan(100)
  })

  it('refuses each value with less of it, and with more behind it', () => {
    for (const { hex } of valueVectors.values) {
      const bytes = Buffer.from(hex, 'hex')
      expect(scanned(bytes)).toBe(true)
      for (let length = 0; length < bytes.length; length++) expect(scanned(bytes.subarray(0, length)), hex).toBe(false)
      expect(scanned(Buffer.concat([bytes, Buffer.from([0xc0])])), hex).toBe(false)
    }
  })

  it.each([
    [
      'a million empty objects',
      Buffer.concat([Buffer.from('dd00100000', 'hex'), Buffer.alloc(1 << 20, 0x80)]),
      /more than 10000 values/,
    ],
    ['a million empty objects, a level deeper each', Buffer.alloc(1 << 20, 0x91), /nested deeper than 100/],
    ['objects, one in another', Buffer.from(`${'81a161'.repeat(101)}c0`, 'hex'), /nested deeper than 100/],
    ['an array of more than there can be', Buffer.from('ddffffffff', 'hex'), /cut short/],
    ['an object of more than there can be', Buffer.from('dfffffffff', 'hex'), /cut short/],
    ['a binary beyond the end', Buffer.from('c6ffffffff00', 'hex'), /cut short/],
    ['a string beyond the end', Buffer.from('dbffffffff61', 'hex'), /cut short/],
    ['a key beyond the end', Buffer.from('81dbffffffff61', 'hex'), /cut short/],
    ['a length that is cut short', Buffer.from('dd0000', 'hex'), /cut short/],
    ['a number as a key', Buffer.from('8101c0', 'hex'), /key that is no string/],
    ['a binary as a key', Buffer.from('81c40161c0', 'hex'), /key that is no string/],
    ['an object as a key', Buffer.from('8180c0', 'hex'), /key that is no string/],
    ['a key __proto__, written at length', Buffer.from('81d9095f5f70726f746f5f5fc0', 'hex'), /__proto__/],
  ] as const)('refuses %s', (_name, bytes, reason) => {
    expect(() => scanValue(bytes, limits)).toThrow(reason)
  })

  it('knows the edges of its limits', () => {
    const nested = (depth: number) => Buffer.from(`${'91'.repeat(depth)}c0`, 'hex')
    expect(scanned(nested(100))).toBe(true)
    expect(scanned(nested(101))).toBe(false)
    expect(scanned(Buffer.from(`${'91'.repeat(100)}90`, 'hex'))).toBe(true)
    expect(scanned(packr.pack(Array.from({ length: 10_000 }, () => 0)))).toBe(true)
    expect(scanned(packr.pack(Array.from({ length: 10_001 }, () => 0)))).toBe(false)
  })

  it('refuses every byte that begins an extension, a 64-bit integer or nothing', () => {
    for (const head of [0xc1, 0xc7, 0xc8, 0xc9, 0xcf, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8]) {
      expect(() => scanValue(Buffer.concat([Buffer.from([head]), Buffer.alloc(20)]), limits)).toThrow('begins no value')
    }
  })

  it('is as new behind a refusal', () => {
    expect(scanned(Buffer.from('9391918101', 'hex'))).toBe(false)
    expect(scanValue(packr.pack([1, { '\0': 2 }]), limits)).toEqual({ marks: true, binaries: false })
  })
})
