import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { pipe, RpcSession, type RpcTarget, readFrom, writeTo } from '../../src/rpc/index.js'
import { adopt, type Descriptor } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { named, pattern, same } from '../support/streams.js'

interface Bulk extends RpcTarget {
  open(megabytes: number): Descriptor
  fill(into: Descriptor, megabytes: number): Promise<void>
}

/** The main object of children/bulk.ts, in a process of its own; and what its session has sent and received. */
function bulk() {
  const [ours, theirs] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
  const path = fileURLToPath(new URL('children/bulk.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', path], {
    stdio: ['ignore', 'inherit', 'inherit', theirs.fd],
    env: { ...process.env, NODE_NO_WARNINGS: '1', TSX_DISABLE_CACHE: '1' },
  })
  theirs.close()
  const exited = once(child, 'exit')
  const stream = adopt(ours)
  const session = new RpcSession<Bulk>(stream)
  const api = session.getRemoteMain()
  onTestFinished(async () => {
    api[Symbol.dispose]()
    await session.close()
    expect(await exited).toEqual([0, null])
  })
  return { api, stream }
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
