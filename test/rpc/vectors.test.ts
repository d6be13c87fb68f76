/**
 * Messages and values are these bytes, and these bytes are those messages and values: test/rpc/vectors.
 */
import { describe, expect, it, onTestFinished } from 'vitest'
import { Payload } from '../../src/rpc/machine/payload.js'
import { defaultVat } from '../../src/rpc/realm.js'
import { decodeTree } from '../../src/rpc/values/decode.js'
import { encodeValue } from '../../src/rpc/values/encode.js'
import { PillionWire } from '../../src/rpc/wire/pillion-wire.js'
import { contentOf } from '../../src/rpc/wire/wire.js'
import { Descriptor } from '../../src/stream/index.js'
import { capabilities, valueFrom } from './vectors/expressions.js'
import { bytesOf, hexOf, messageVectors, valueVectors } from './vectors/vectors.js'

describe('a message', () => {
  const wire = new PillionWire()

  it.each(messageVectors.messages)('is its bytes: $name', ({ hex, message }) => {
    expect(hexOf(Buffer.concat([wire.encode(message), ...contentOf(message)]))).toBe(hex)
  })

  it.each(messageVectors.messages)('comes of its bytes: $name', ({ hex, message }) => {
    expect(wire.decode(bytesOf(hex))).toEqual(message)
  })

  it.each(messageVectors.messages)('is nothing else with less of its bytes: $name', ({ name, hex, message }) => {
    // What ends with the rest of the frame is whole where that is empty.
    const head = /unimplemented|not known/.test(name) ? 1 : wire.encode(message).length
    for (let length = 0; length < head; length++) {
      expect(() => wire.decode(bytesOf(hex).subarray(0, length)), `${length} bytes`).toThrow('a message that cannot be')
    }
  })

  it.each(messageVectors.invalid)('is refused: $hex, $reason', ({ hex, reason }) => {
    expect(() => wire.decode(bytesOf(hex))).toThrow(reason)
  })

  it('has a vector for each kind', () => {
    expect(new Set(messageVectors.messages.map(({ message }) => message.type)).size).toBe(11)
  })
})

describe('a value', () => {
  const { outgoing, limits } = defaultVat().values

  function files(): Descriptor[] {
    const descriptors = [1, 2].map((size) => Descriptor.memfd(new Uint8Array(size)))
    onTestFinished(() => {
      for (const descriptor of descriptors) descriptor.close()
    })
    return descriptors
  }

  it.each(valueVectors.values)('is its bytes: $value', ({ value, hex }) => {
    const payload = encodeValue(valueFrom(value, files()), 'value', 'lent', outgoing, limits)
    payload.release()
    expect(hexOf(payload.content)).toBe(hex)
  })

  it.each(valueVectors.values)('comes of its bytes: $value', ({ value, hex }) => {
    const descriptors = files()
    const decoded = decodeTree(new Payload(bytesOf(hex), capabilities, descriptors), limits)
    const expected = valueFrom(value, descriptors)
    // The stack of an error that was received is none.
    if (expected instanceof Error) expected.stack = `${expected.name}: ${expected.message}`
    expect(decoded).toStrictEqual(expected)
  })

  it.each(valueVectors.invalid)('is refused: $hex, $reason', ({ hex, reason }) => {
    expect(() => decodeTree(new Payload(bytesOf(hex), capabilities), limits)).toThrow(reason)
  })
})
