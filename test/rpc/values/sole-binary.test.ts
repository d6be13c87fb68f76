/**
 * A chunk of bytes has a way of its own through the values: it must be the same as the way of all others.
 */
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { encodeSoleBinary, soleBinaryOf } from '../../../src/rpc/values/sole-binary.js'
import { unpack } from '../../../src/rpc/values/value-codec.js'

const packr = new Packr({ useRecords: false })

describe('bytes as the only argument', () => {
  it.each([0, 1, 255, 256, 65_535, 65_536, 1_000_000])(
    '%i of them are encoded as any value, and read as a view',
    (length) => {
      const bytes = new Uint8Array(length).fill(7)
      const { content } = encodeSoleBinary(bytes)
      const [unpacked, ...others] = unpack(content) as Uint8Array[]
      const read = soleBinaryOf(content)
      expect(Buffer.compare(unpacked as Uint8Array, bytes)).toBe(0)
      expect(others).toEqual([])
      expect(Buffer.compare(read as Uint8Array, bytes)).toBe(0)
      expect(read?.constructor).toBe(Uint8Array)
      expect(read?.buffer).toBe(content.buffer)
    },
  )

  it('are nothing else: whatever is read as such, msgpackr reads alike', () => {
    const values = [
      [],
      [1],
      ['x'],
      [new Uint8Array(3), 1],
      [[new Uint8Array(3)]],
      new Uint8Array(3),
      { 0: 1 },
      null,
      [-1],
    ]
    for (const value of values) expect(soleBinaryOf(packr.pack(value))).toBeUndefined()
    const begun = fc.constantFrom(
      [0x91],
      [0x91, 0xc4],
      [0x91, 0xc5],
      [0x91, 0xc6],
      [0x91, 0xc6, 0, 0],
      [0x92, 0xc4],
      [],
    )
    fc.assert(
      fc.property(begun, fc.uint8Array({ maxLength: 300 }), (head, rest) => {
        const content = new Uint8Array([...head, ...rest])
        const read = soleBinaryOf(content)
        if (read !== undefined) expect(unpack(content)).toEqual([read])
      }),
    )
  })

  it('are no value where they are cut short, or something follows', () => {
    const content = new Uint8Array(packr.pack([new Uint8Array(300)]))
    expect(soleBinaryOf(content)).toEqual(new Uint8Array(300))
    for (let length = 0; length < content.length; length++) {
      expect(soleBinaryOf(content.subarray(0, length))).toBeUndefined()
    }
    expect(soleBinaryOf(new Uint8Array([...content, 0]))).toBeUndefined()
  })

  it('are given back once: when they have been copied, sent or let go of', () => {
    const returned: string[] = []
    const borrow = (name: string) => encodeSoleBinary(new Uint8Array(20_000), () => returned.push(name))
    const copied = borrow('copied')
    expect(copied.content.length).toBe(20_004)
    copied.release()
    const sent = borrow('sent')
    const { onSent } = sent
    expect(returned).toEqual(['copied'])
    onSent?.()
    onSent?.()
    sent.release()
    borrow('let go of').release()
    expect(returned).toEqual(['copied', 'sent', 'let go of'])
  })
})
