/** Addresses: what users write, and the bytes the kernel gets. */
import { describe, expect, it } from 'vitest'
import { ClosedError, UsageError } from '../../src/errors.js'
import { type Address, formatAddress, parseAddress } from '../../src/transport/address.js'
import { Descriptor } from '../../src/transport/descriptor.js'

const bytesOf = (address: Address) => {
  const parsed = parseAddress(address)
  return parsed.kind === 'fd' ? undefined : Buffer.from(parsed.bytes).toString()
}

describe('a path', () => {
  it('is its UTF-8 bytes, from a string or from { path }', () => {
    expect(bytesOf('/run/é.sock')).toBe('/run/é.sock')
    expect(parseAddress({ path: 'relative.sock' })).toMatchObject({ kind: 'path', path: 'relative.sock' })
  })

  it('may begin with @ in { path } only', () => {
    expect(parseAddress({ path: '@x' })).toMatchObject({ kind: 'path', text: './@x' })
    expect(bytesOf({ path: '@x' })).toBe('@x')
  })

  it('has 1 to 107 bytes', () => {
    expect(parseAddress('x'.repeat(107))).toMatchObject({ kind: 'path' })
    expect(() => parseAddress('x'.repeat(108))).toThrow(/at most 107 bytes, and this one has 108.*use a shorter one/)
    expect(() => parseAddress('')).toThrow(UsageError)
    expect(() => parseAddress({ path: '' })).toThrow(UsageError)
  })

  it('is counted in bytes, not in characters', () => {
    expect(parseAddress('é'.repeat(53))).toMatchObject({ kind: 'path' })
    expect(() => parseAddress('é'.repeat(54))).toThrow(/has 108/)
  })

  it('has no NUL, which would cut it short unseen', () => {
    expect(() => parseAddress('/tmp/a\0b')).toThrow(UsageError)
  })

  it('has no half of a surrogate pair, which would become another name', () => {
    expect(() => parseAddress('/tmp/\ud800')).toThrow(UsageError)
    expect(bytesOf('/tmp/😀')).toBe('/tmp/😀')
  })
})

describe('an abstract name', () => {
  it('is a NUL and its bytes, from "@name" or from { abstract }', () => {
    expect(bytesOf('@name')).toBe('\0name')
    expect(bytesOf({ abstract: '@name' })).toBe('\0@name')
    expect(bytesOf({ abstract: 'a\0b' })).toBe('\0a\0b')
  })

  it('has 1 to 107 bytes', () => {
    expect(bytesOf(`@${'x'.repeat(107)}`)).toHaveLength(108)
    expect(() => parseAddress({ abstract: 'x'.repeat(108) })).toThrow(/at most 107 bytes, and this one has 108/)
    expect(() => parseAddress('@')).toThrow(UsageError)
    expect(() => parseAddress({ abstract: '' })).toThrow(UsageError)
  })
})

describe('an address', () => {
  it('may be a descriptor', () => {
    expect(parseAddress({ fd: 3 })).toEqual({ kind: 'fd', fd: 3, text: 'fd 3' })
    using descriptor = Descriptor.memfd(1)
    expect(parseAddress({ fd: descriptor })).toMatchObject({ fd: descriptor, text: `fd ${descriptor.fd}` })
  })

  it.each([
    undefined,
    null,
    7,
    {},
    { path: 7 },
    { fd: -1 },
    { fd: 1.5 },
    { fd: '3' },
    { path: '/a', abstract: 'a' },
    { fd: 3, path: '/a' },
  ])('is not %o', (address) => {
    expect(() => parseAddress(address as unknown as Address)).toThrow(UsageError)
  })

  it('is named in errors without control characters', () => {
    expect(formatAddress('/run/a.sock')).toBe('/run/a.sock')
    expect(formatAddress({ abstract: 'a\0b\n' })).toBe('@a\\x00b\\x0a')
    expect(formatAddress('@name')).toBe('@name')
    expect(formatAddress({ fd: 4 })).toBe('fd 4')
  })

  it('is named even when its descriptor is closed', () => {
    const descriptor = Descriptor.memfd(1)
    descriptor.close()
    expect(formatAddress({ fd: descriptor })).toBe('a closed descriptor')
    expect(() => descriptor.fd).toThrow(ClosedError)
  })
})
