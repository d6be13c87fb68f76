/**
 * Many small frames in one tick: all but the first two are written behind one another, with nothing looked at in between
 * (the open run of send-slab.ts). Whatever comes between them must find them in order, counted and checked all the same.
 */
import { describe, expect, test } from 'vitest'
import { contentLength, delimited, lengthPrefixed, pillion } from '../../src/framing/index.js'
import { ClosedError, type FrameStream, FrameTooLargeError } from '../../src/stream/index.js'
import { fill, named, namesOf, pattern, streamPair, take, takeAll, text } from '../support/streams.js'

const header = 8

/** Frames that are told apart; so many that those of one tick fill more than one slab. */
function sendTexts(stream: FrameStream, name: string, count: number): string[] {
  const texts = Array.from({ length: count }, (_, i) => `${name} ${i}`)
  for (const one of texts) stream.send(Buffer.from(one))
  return texts
}

async function textsOf(stream: FrameStream, count: number): Promise<string[]> {
  return (await take(stream, count)).map(({ payload }) => text(payload))
}

describe.each([pillion(), lengthPrefixed({ bytes: 4 }), delimited(10), contentLength()])('as $name', (codec) => {
  test('arrive in order, however many', async () => {
    const [a, b] = streamPair({ codec })
    const sent = sendTexts(a, 'frame', 10_000)
    expect(await textsOf(b, 10_000)).toEqual(sent)
    expect(a.stats.sent.frames).toBe(10_000)
    expect(a.stats.sent.bytes).toBeGreaterThan(10_000 * 'frame 0'.length)
  })
})

test('of two streams in turn, each gets its own', async () => {
  const [a, b] = streamPair()
  const [c, d] = streamPair()
  const sent: [string[], string[]] = [[], []]
  for (let i = 0; i < 1000; i++) {
    for (let k = 0; k <= i % 5; k++) sent[0].push(...sendTexts(a, `left ${i} ${k}`, 1))
    for (let k = 0; k <= i % 3; k++) sent[1].push(...sendTexts(c, `right ${i} ${k}`, 1))
  }
  expect(await textsOf(b, sent[0].length)).toEqual(sent[0])
  expect(await textsOf(d, sent[1].length)).toEqual(sent[1])
})

test('with others between them: long, with descriptors, in chunks, empty', async () => {
  const [a, b] = streamPair()
  const sent: string[] = []
  for (let i = 0; i < 20; i++) {
    sent.push(...sendTexts(a, `small ${i}`, 3))
    sent.push(text(Buffer.alloc(20_000, i + 65)))
    a.send(Buffer.alloc(20_000, i + 65))
    sent.push(...sendTexts(a, `behind a long one ${i}`, 3), `bears ${i}`)
    a.send(Buffer.from(`bears ${i}`), [named(i)], { transfer: true })
    sent.push(...sendTexts(a, `behind descriptors ${i}`, 3), 'in chunks', '')
    a.send([Buffer.from('in '), Buffer.from('chunks')])
    a.send(new Uint8Array(0))
  }
  const frames = await take(b, sent.length)
  expect(frames.map(({ payload }) => text(payload))).toEqual(sent)
  const names = frames.map((frame) => namesOf(frame))
  expect(names.flatMap((found, i) => found.map((name) => `${sent[i]} has ${name}`))).toEqual(
    Array.from({ length: 20 }, (_, i) => `bears ${i} has ${i}`),
  )
})

test('are counted when asked, whatever was written since', async () => {
  const [a] = streamPair()
  a.send(pattern(10)) // at once
  for (let i = 1; i <= 100; i++) {
    a.send(pattern(10))
    if (i % 7 === 0) expect(a.queuedBytes).toBe(i * (10 + header))
    expect(a.stats.sent.frames).toBe(i + 1)
  }
  await a.flush()
  expect(a.queuedBytes).toBe(0)
})

test('are flushed by whoever waits for it, while the tick lasts', async () => {
  const [a, b] = streamPair()
  const sent = sendTexts(a, 'before', 10)
  const flushed = a.flush()
  sent.push(...sendTexts(a, 'behind', 10))
  await flushed
  expect(await textsOf(b, 20)).toEqual(sent)
})

test('stop at the mark, to the frame', () => {
  const [a] = streamPair({ highWaterMark: 1000 })
  a.send(pattern(10)) // at once
  let sent = 0
  while (a.send(pattern(42))) sent++
  expect(sent).toBe(20)
  expect(a.queuedBytes).toBe(21 * 50)
})

test('are held against the limit, and do not open the way for those that are over it', async () => {
  const [a, b] = streamPair({ maxPayload: 100 })
  const sent = sendTexts(a, 'good', 5)
  expect(() => a.send(pattern(101))).toThrow(FrameTooLargeError)
  sent.push(...sendTexts(a, 'good again', 5))
  expect(() => a.send(pattern(101))).toThrow(FrameTooLargeError)
  expect(await textsOf(b, 10)).toEqual(sent)
})

test('cannot follow the end, and all before it arrive', async () => {
  const [a, b] = streamPair()
  const sent = sendTexts(a, 'before the end', 100)
  const ended = a.end()
  expect(() => a.send(pattern(5))).toThrow(ClosedError)
  const received = takeAll(b)
  await ended
  expect((await received).map(({ payload }) => text(payload))).toEqual(sent)
})

test('cannot follow destroy, and leave the other streams of the thread theirs', async () => {
  const [a] = streamPair()
  const [c, d] = streamPair()
  const sent = sendTexts(c, 'kept', 5)
  sendTexts(a, 'dropped', 5)
  a.destroy()
  expect(() => a.send(pattern(5))).toThrow(ClosedError)
  sent.push(...sendTexts(c, 'kept too', 5))
  expect(await textsOf(d, 10)).toEqual(sent)
})

test('under back-pressure wait in order, and go once there is room', async () => {
  const [a, b] = streamPair()
  const first = fill(a)
  const sent = sendTexts(a, 'waits', 5000)
  expect(a.queuedBytes).toBeGreaterThan(5000 * header)
  const frames = await take(b, first + 5000)
  expect(frames.slice(first).map(({ payload }) => text(payload))).toEqual(sent)
})
