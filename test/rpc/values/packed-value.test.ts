import { describe, expect, it } from 'vitest'
import { packValue, RpcError, RpcTarget, sendValue, unpackValue } from '../../../src/rpc/index.js'
import {
  ClosedError,
  Descriptor,
  DescriptorLostError,
  FrameTooLargeError,
  pair,
  UsageError,
} from '../../../src/stream/index.js'

describe('a packed value', () => {
  it('comes out as it went in, with its own descriptors at their places', () => {
    using file = Descriptor.memfd(Buffer.from('content'))
    const value = { when: new Date(0), deep: [new Map([['file', file]])], nothing: undefined, big: 2n ** 70n }

    const packed = packValue(value)
    const unpacked = unpackValue({ ...packed, lost: 0 })

    expect(packed.descriptors).toHaveLength(1)
    expect(unpacked.value).toEqual({ ...value, deep: [new Map([['file', unpacked.descriptors[0]]])] })
    expect(unpacked.descriptors[0]?.fd).not.toBe(file.fd)
    for (const descriptor of unpacked.descriptors) descriptor.close()
  })

  it('leaves nothing open when something in it cannot travel, and names that', () => {
    using file = Descriptor.memfd(1)

    expect(() => packValue({ file, callback: () => {} })).toThrow(UsageError)
    expect(() => packValue({ file, callback: () => {} })).toThrow('value.callback: what is passed by reference')
    expect(() => packValue([file, new (class extends RpcTarget {})()])).toThrow('value[1]: what is passed by reference')
    expect(() => packValue([file, new ReadableStream()])).toThrow('value[1]: what is passed by reference')
    expect(() => packValue([file, [[[1]]]], { depth: 3 })).toThrow('nested deeper than 3')
    expect(file.closed).toBe(false)
    file.close()
    expect(() => packValue({ file })).toThrow(ClosedError)
  })

  it('takes the descriptors over with `transfer`, also when the value cannot travel', () => {
    const [moved, refused] = [Descriptor.memfd(1), Descriptor.memfd(1)]

    const { descriptors } = packValue([moved], { transfer: true })

    expect({ moved: moved.closed, packed: descriptors.map(({ closed }) => closed) }).toEqual({
      moved: true,
      packed: [false],
    })
    for (const descriptor of descriptors) descriptor.close()
    expect(() => packValue([refused, Symbol('none')], { transfer: true })).toThrow(UsageError)
    expect(refused.closed).toBe(true)
  })

  it('closes the descriptors of bytes that are no value, of a value without them, and of one that has lost some', () => {
    const files = [Descriptor.memfd(1), Descriptor.memfd(1), Descriptor.memfd(1)] as const
    using sent = Descriptor.memfd(1)
    const { payload, descriptors } = packValue({ a: sent, b: sent })
    for (const descriptor of descriptors) descriptor.close()

    expect(() => unpackValue({ payload: new Uint8Array([0xc1]), descriptors: [files[0]], lost: 0 })).toThrow(RpcError)
    expect(unpackValue({ payload: new Uint8Array([0xc0]), descriptors: [files[1]], lost: 0 }).value).toBe(null)
    expect(() => unpackValue({ payload, descriptors: [files[2]], lost: 1 })).toThrow(DescriptorLostError)
    expect(files.map(({ closed }) => closed)).toEqual([true, true, true])
  })

  it('has an error in the place of a lost descriptor, where that is asked for', () => {
    using sent = Descriptor.memfd(1)
    const { payload, descriptors } = packValue({ a: sent, b: sent })
    descriptors[1]?.close()
    const [a] = descriptors as [Descriptor]

    const unpacked = unpackValue({ payload, descriptors: [a], lost: 1 }, { lost: 'in place' })

    expect(unpacked.value).toEqual({ a, b: expect.any(DescriptorLostError) })
    expect(unpacked.descriptors).toEqual([a])
    a.close()
    expect(() => unpackValue({ payload, descriptors: [], lost: 0 }, { lost: 'in place' })).toThrow(RpcError)
  })

  it('has copies of bytes where the payload is not to be referred to', () => {
    const bytes = new Uint8Array(100_000).fill(7)
    const { payload } = packValue([bytes])
    const frame = { payload, descriptors: [], lost: 0 }
    const [view] = unpackValue(frame).value as [Uint8Array]
    const [copy] = unpackValue(frame, { bytes: 'copies' }).value as [Uint8Array]

    payload.fill(0)

    expect([view[0], copy[0]]).toEqual([0, 7])
  })

  it('has no capability in it, whatever its bytes say', () => {
    // { '\0': [11, 0] }: a capability of index 0
    const payload = new Uint8Array([0x81, 0xa1, 0x00, 0x92, 0x0b, 0x00])
    expect(() => unpackValue({ payload, descriptors: [], lost: 0 })).toThrow('refers to capability 0 of 0')
  })
})

describe('sendValue', () => {
  it("sends a value with its descriptors, which stay the caller's", async () => {
    const [near, far] = pair()
    using file = Descriptor.memfd(Buffer.from('content'))

    sendValue(near, { file })
    near.end()
    const values: unknown[] = []
    for await (const frame of far) {
      const { value, descriptors } = unpackValue(frame)
      values.push(value)
      for (const descriptor of descriptors) descriptor.close()
    }

    expect(values).toEqual([{ file: expect.any(Descriptor) }])
    expect(file.closed).toBe(false)
    far.destroy()
  })

  it('leaves nothing open when it throws', () => {
    const [near, far] = pair({ maxPayload: 100 })
    const [lent, moved] = [Descriptor.memfd(1), Descriptor.memfd(1)]

    expect(() => sendValue(near, [lent, 'x'.repeat(100)])).toThrow(FrameTooLargeError)
    expect(() => sendValue(near, [moved, 'x'.repeat(100)], { transfer: true })).toThrow(FrameTooLargeError)
    expect([lent.closed, moved.closed]).toEqual([false, true])
    near.destroy()
    far.destroy()
    expect(() => sendValue(near, [lent])).toThrow(ClosedError)
    lent.close()
  })
})
