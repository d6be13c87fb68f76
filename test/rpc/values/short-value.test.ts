/**
 * The short way of decoding: whatever it takes, the long way takes as well, and finds the same in it.
 */
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { scanValue } from '../../../src/rpc/values/scan.js'
import { decodeShort, undecided } from '../../../src/rpc/values/short-value.js'
import { unpack } from '../../../src/rpc/values/value-codec.js'
import { valueVectors } from '../vectors/vectors.js'

const limits = { depth: 6, count: 40 }
const packr = new Packr({ useRecords: false })
const value = fc.anything({
  withNullPrototype: false,
  withObjectString: false,
  maxDepth: 8,
  values: [fc.string(), fc.string({ unit: 'binary' }), fc.integer(), fc.double(), fc.boolean(), fc.constant(null)],
})

/** Whether it took the short way. */
function agree(bytes: Uint8Array): boolean {
  const short = decodeShort(bytes, limits)
  if (short === undecided) return false
  expect(scanValue(bytes, limits)).toEqual({ marks: false, binaries: false }) // throws what it refuses
  expect(short).toStrictEqual(unpack(bytes))
  return true
}

describe('the short way of decoding', () => {
  it('finds in a value what the long way finds, for most that is data', () => {
    let taken = 0
    fc.assert(
      fc.property(value, (given) => {
        if (agree(packr.pack(given))) taken++
      }),
      { numRuns: 2000 },
    )
    expect(taken).toBeGreaterThan(1000)
  })

  it('takes no bytes that the long way refuses', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => void agree(bytes)),
      { numRuns: 5000 },
    )
    fc.assert(
      fc.property(value, fc.nat(), fc.nat({ max: 255 }), (given, at, byte) => {
        const bytes = Uint8Array.from(packr.pack(given))
        bytes[at % bytes.length] = byte
        agree(bytes)
        agree(bytes.subarray(0, at % bytes.length))
      }),
      { numRuns: 5000 },
    )
  })

  it('leaves marks, binaries and what is long to the long way', () => {
    for (const { value: text, hex } of valueVectors.values) {
      const bytes = Buffer.from(hex, 'hex')
      const { marks, binaries } = scanValue(bytes, { depth: 100, count: 10_000 })
      if (marks || binaries) expect(decodeShort(bytes, limits), text).toBe(undecided)
    }
    expect(decodeShort(packr.pack('x'.repeat(2000)), limits)).toBe(undecided)
  })

  it('stops at the limits where the long way does', () => {
    const nested = (depth: number) => new Uint8Array([...new Array(depth).fill(0x91), 0x01])
    expect(agree(nested(limits.depth))).toBe(true)
    expect(decodeShort(nested(limits.depth + 1), limits)).toBe(undecided)
    const wide = (count: number) => packr.pack([new Array(15).fill(1), new Array(count - 2 - 15).fill(1)])
    expect(agree(wide(limits.count - 10))).toBe(true)
    expect(
      decodeShort(packr.pack([[1, 2], new Array(15).fill(1), new Array(15).fill(1), [1, 2, 3, 4, 5]]), limits),
    ).toBe(undecided)
  })
})
