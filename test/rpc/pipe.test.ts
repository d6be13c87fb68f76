import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { pipe, type RpcTarget, readFrom, writeTo } from '../../src/rpc/index.js'
import type { Descriptor } from '../../src/stream/index.js'
import { served } from '../support/rpc-child.js'
import { named, pattern, same } from '../support/streams.js'

interface Bulk extends RpcTarget {
  open(megabytes: number): Descriptor
  fill(into: Descriptor, megabytes: number): Promise<void>
}

function bulk() {
  return served<Bulk>(fileURLToPath(new URL('children/bulk.ts', import.meta.url)))
}

async function countBytes(descriptor: Descriptor): Promise<number> {
  let bytes = 0
  for await (const chunk of readFrom(descriptor)) bytes += chunk.length
  return bytes
}

test('100 MB go through a pipe that a method returns, and none of it through the session', async () => {
  const { api, stream } = bulk()
  expect(await countBytes(await api.open(100))).toBe(100_000_000)
  expect(stream.stats.received.bytes).toBeLessThan(1000)
})

test('100 MB go through a pipe that is passed as an argument, and none of it through the session', async () => {
  const { api, stream } = bulk()
  const { readable, writable } = pipe()
  const filled = api.fill(writable, 100)
  writable.close() // a duplicate has gone
  expect(await countBytes(readable)).toBe(100_000_000)
  await filled
  expect(stream.stats.received.bytes).toBeLessThan(1000)
  expect(stream.stats.sent.bytes).toBeLessThan(1000)
})

test('what is written into a pipe comes out of it, and its end when the writer ends', async () => {
  const { readable, writable } = pipe()
  expect([readable.kind, writable.kind]).toEqual(['pipe', 'pipe'])
  writeTo(writable).end(pattern(300_000))
  const chunks: Uint8Array[] = []
  for await (const chunk of readFrom(readable)) chunks.push(chunk)
  expect(same(Buffer.concat(chunks), pattern(300_000))).toBe(true)
  expect([readable.closed, writable.closed]).toEqual([true, true])
})

test('a pipe closes both ends that nobody has taken', () => {
  const ends = pipe()
  ends[Symbol.dispose]()
  expect([ends.readable.closed, ends.writable.closed]).toEqual([true, true])
  ends[Symbol.dispose]()
})

test('a file is no stream, and stays its owner’s', () => {
  using file = named('a file')
  expect(() => readFrom(file)).toThrow('a stream is made of a pipe or a socket, not of a memfd: use node:fs for that')
  expect(() => writeTo(3 as never)).toThrow('a stream is made of a Descriptor')
  expect(file.closed).toBe(false)
})
