/** A slow reader stops the writer, and what waits stays within the marks. By counters: nothing here depends on speed. */
import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { FrameStream } from '../../src/stream/index.js'
import {
  fill,
  named,
  pattern,
  pythonPeer,
  readinesses,
  same,
  streamPair,
  take,
  turns,
  until,
} from '../support/streams.js'

const KiB = 1024
const mark = 256 * KiB
/** What one wake-up may bring on top of a mark: the slab. */
const slab = 256 * KiB
const header = 8

/** Bytes that `stream` has taken and that are not in the kernel. */
const waiting = (stream: FrameStream, taken: number) => taken - stream.stats.sent.bytes

describe.each(readinesses)('with readiness %s', (readiness) => {
  test('`send` is false from the mark on, true below it; `drain` comes once it is below again', async () => {
    const [a, b] = streamPair({ readiness, highWaterMark: 10_000 })
    const payload = pattern(1000)
    const count = await sendUntilStuck(a, payload)
    const left = waiting(a, count * (payload.length + header))
    expect(left).toBeGreaterThan(10_000)
    expect(left).toBeLessThanOrEqual(10_000 + payload.length + header)
    let drains = 0
    a.on('drain', () => drains++)
    expect(a.send(payload)).toBe(false)
    await turns()
    expect(drains).toBe(0)

    const drained = a.drained()
    await take(b, count + 1)
    await drained
    expect(drains).toBe(1)
    expect(a.send(payload)).toBe(true)
    await a.drained() // nothing to wait for
  })

  test('`drained` and `flush` wait for a reader; each for as much as it says', async () => {
    const [a, b] = streamPair({ readiness })
    const done: string[] = []
    const payload = pattern(16_000)
    const count = fill(a, payload)
    const all = [a.drained().then(() => done.push('drained')), a.flush().then(() => done.push('first flush'))]
    for (let i = 0; i < 50; i++) a.send(payload)
    all.push(a.flush().then(() => done.push('second flush')))
    await turns()
    expect(done).toEqual([])

    await take(b, count + 50)
    await Promise.all(all)
    expect(done.indexOf('first flush')).toBeLessThan(done.indexOf('second flush'))
    expect(a.stats.sent.bytes).toBe((count + 50) * (payload.length + header))
  })

  test('descriptors that wait count as well: a sender that heeds `send` does not fill the table', async () => {
    const [a] = streamPair({ readiness, sendBuffer: 4608 }) // nobody reads
    using file = named('file')
    const before = readdirSync('/proc/self/fd').length
    let frames = 0
    while (a.send(pattern(1), [file.fd])) frames++ // a number has to be duplicated
    const waiting = readdirSync('/proc/self/fd').length - before
    expect(frames).toBeGreaterThan(200)
    expect(waiting).toBeGreaterThan(200)
    expect(waiting).toBeLessThanOrEqual(mark / KiB + 1)
  })

  test('a reader that takes all at once does not keep the loop from its other work', async () => {
    const a = pythonPeer('while s.recv(1 << 20): pass', { readiness, maxPayload: 64 * KiB * KiB })
    const budget = 1024 * KiB // of a flush, and of the call that exceeds it
    const flushes = 2 // of a turn: an edge that has just come, and one that was put off
    let before = a.stats.sent.bytes
    let largest = 0
    let flushed = false
    for (let i = 0; i < 64; i++) a.send(pattern(1024 * KiB))
    before = a.stats.sent.bytes
    const flush = a.flush().then(() => {
      flushed = true
    })
    while (!flushed) {
      await new Promise(setImmediate)
      largest = Math.max(largest, a.stats.sent.bytes - before)
      before = a.stats.sent.bytes
    }
    await flush
    expect(largest).toBeLessThanOrEqual(flushes * 2 * budget)
  })

  test('without a consumer the kernel alone holds what is sent', async () => {
    const [a, b] = streamPair({ readiness })
    const payload = pattern(16_000)
    const taken = fill(a, payload) * (payload.length + header)
    await turns()
    expect(waiting(a, taken)).toBeLessThanOrEqual(mark + payload.length + header)
    expect(b.stats.received.bytes).toBe(0)
  })

  test.each([100, 16_000, 300_000])('an iterator that is slow holds %i-byte frames up to the mark', async (size) => {
    const [a, b] = streamPair({ readiness })
    const payload = pattern(size)
    const frames = b[Symbol.asyncIterator]()
    await turns()
    const count = await sendUntilStuck(a, payload)
    const held = b.stats.received.bytes
    expect(b.stats.received.pauses).toBe(1)
    // In the inbox, and the part of a frame that had begun.
    expect(held).toBeLessThanOrEqual(mark + slab + size + header)
    expect(waiting(a, count * (size + header))).toBeLessThanOrEqual(mark + size + header)

    for (const frame of await take(frames, count)) expect(same(frame.payload, payload)).toBe(true)
    await a.flush()
  })

  test('many empty frames count as well', async () => {
    const [a, b] = streamPair({ readiness })
    const frames = b[Symbol.asyncIterator]()
    const count = await sendUntilStuck(a, new Uint8Array(0))
    expect(b.stats.received.frames).toBeLessThan(mark / 64 + slab / header + 1)
    expect(b.stats.received.pauses).toBe(1)
    await take(frames, count)
  })

  test('descriptors count as well: a consumer that is slow does not fill the table', async () => {
    const [a, b] = streamPair({ readiness, highWaterMark: 64 * KiB })
    using one = named('one')
    const frames = b[Symbol.asyncIterator]()
    const before = readdirSync('/proc/self/fd').length
    const count = 400
    for (let i = 0; i < count; i++) {
      a.send(Buffer.from('x'), [one])
      if (i % 20 === 0) await turns(2) // wake-ups of its own for each
    }
    await until(() => b.stats.received.pauses === 1)
    // 1 KiB for each: 64 up to the mark, and what the last wake-up brought.
    expect(b.stats.received.descriptors).toBeLessThan(64 + 21 + 64)
    expect(readdirSync('/proc/self/fd').length - before).toBeLessThan(300 + 64)
    for (let i = 0; i < count; i++) (await frames.next()).value?.[Symbol.dispose]()
    expect(b.stats.received.descriptors).toBe(count)
  })

  test('`pause` stops the peer in the end, and `resume` lets it go on', async () => {
    const [a, b] = streamPair({ readiness })
    const payload = pattern(16_000)
    let seen = 0
    b.on('frame', () => {
      if (++seen === 3) b.pause()
    })
    const count = await sendUntilStuck(a, payload)
    expect(seen).toBe(3)
    expect(b.stats.received.bytes).toBeLessThanOrEqual(slab + 4 * 16_008 + mark)
    b.resume()
    await until(() => seen === count)
    await a.flush()
  })

  test('64 MiB through a reader that takes one frame at a time: never more than the marks in memory', async () => {
    const [a, b] = streamPair({ readiness })
    const size = 64 * KiB - header
    const count = 1024
    const payload = pattern(size)
    let sent = 0
    let mostQueued = 0
    const writing = (async () => {
      while (sent < count) {
        sent++
        const goesOn = a.send(payload)
        mostQueued = Math.max(mostQueued, waiting(a, sent * (size + header)))
        if (!goesOn) await a.drained()
      }
      await a.end()
    })()
    let taken = 0
    let mostHeld = 0
    for await (const frame of b) {
      taken++
      expect(frame.payload.length).toBe(size)
      mostHeld = Math.max(mostHeld, b.stats.received.bytes - taken * (size + header))
    }
    await writing
    expect(taken).toBe(count)
    expect(mostQueued).toBeLessThanOrEqual(mark + size + header)
    expect(mostHeld).toBeLessThanOrEqual(mark + slab + size + header)
  })

  test('both ends send more than fits before either reads: no deadlock, as each goes on reading', async () => {
    const ends = streamPair({ readiness })
    const count = 300
    await Promise.all(
      ends.map(async (end, side) => {
        const received = take(end, count)
        for (let i = 0; i < count; i++) if (!end.send(pattern(20_000, side))) await end.drained()
        const frames = await received
        expect(frames.every(({ payload }) => same(payload, pattern(20_000, 1 - side)))).toBe(true)
      }),
    )
  })

  test('a small send buffer makes no difference but in system calls', async () => {
    const [a, b] = streamPair({ readiness, sendBuffer: 1, maxDescriptors: 1024 })
    const sizes = [0, 1, 500, 5000, 16_384, 100_000]
    for (const size of sizes) {
      a.send(
        pattern(size),
        Array.from({ length: 300 }, (_, i) => named(i)),
        { transfer: true },
      )
    }
    let i = 0
    for await (const frame of b) {
      expect(same(frame.payload, pattern(sizes[i] as number))).toBe(true)
      expect(frame.descriptors.length).toBe(300)
      frame[Symbol.dispose]()
      if (++i === sizes.length) break
    }
    expect(i).toBe(sizes.length)
  })
})

test('a `drain` listener that sends on keeps the pipe full, and each `false` has its `drain`', async () => {
  const [a, b] = streamPair({ highWaterMark: 20_000 })
  const total = 2000
  let sent = 0
  let refusals = 0
  let drains = 0
  const more = () => {
    while (sent < total) {
      sent++
      if (!a.send(pattern(1000))) {
        refusals++
        return
      }
    }
    void a.end()
  }
  a.on('drain', () => {
    drains++
    more()
  })
  more()
  let received = 0
  for await (const _ of b) received++
  expect(received).toBe(total)
  expect(refusals).toBeGreaterThan(1)
  expect(drains).toBe(refusals)
})

/** Sends as `send` and `drain` allow, until nothing moves: the peer has stopped receiving, and the kernel is full. */
async function sendUntilStuck(stream: FrameStream, payload: Uint8Array): Promise<number> {
  let count = 0
  let goesOn = true
  let bytes = -1
  const onDrain = () => {
    goesOn = true
  }
  stream.on('drain', onDrain)
  while (goesOn || stream.stats.sent.bytes !== bytes) {
    bytes = stream.stats.sent.bytes
    if (goesOn) count += fill(stream, payload)
    goesOn = false
    await turns(10)
  }
  stream.off('drain', onDrain)
  return count
}
