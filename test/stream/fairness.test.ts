/** No stream keeps the loop to itself, however many frames a read brings and however small they are. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { delimited } from '../../src/framing/index.js'
import type { FrameStream, StreamOptions } from '../../src/stream/index.js'
import { readinesses, streamPair, until } from '../support/streams.js'

const count = 20_000
const perTurn = 4096
const codecs: Record<string, StreamOptions> = {
  'frames of 8 bytes': {},
  'frames of 1 byte': { codec: delimited(0x0a) },
}

/** The most that `seen` grew by between two turns of the loop. */
function mostPerTurn(seen: () => number): () => number {
  let before = 0
  let most = 0
  let immediate: NodeJS.Immediate
  const look = () => {
    most = Math.max(most, seen() - before)
    before = seen()
    immediate = setImmediate(look)
  }
  look()
  onTestFinished(() => clearImmediate(immediate))
  return () => most
}

function sendEmpty(stream: FrameStream): void {
  for (let i = 0; i < count; i++) stream.send(new Uint8Array(0))
}

describe.each(readinesses)('with readiness %s', (readiness) => {
  describe.each(Object.entries(codecs))('%s', (_name, codec) => {
    const options = { ...codec, readiness }

    test('are told by events, no more than 4,096 in a turn', async () => {
      const [a, b] = streamPair(options)
      sendEmpty(a)
      await a.flush()
      let frames = 0
      b.on('frame', () => frames++)
      const most = mostPerTurn(() => frames)
      await until(() => frames === count)
      expect(most()).toBeLessThanOrEqual(perTurn)
    })

    test('that waited are told in turns as well', async () => {
      const [a, b] = streamPair({ ...options, highWaterMark: 16 * 1024 * 1024 })
      sendEmpty(a)
      await a.flush()
      let frames = 0
      b.on('frame', () => frames++)
      b.once('frame', () => b.pause()) // all that came with the first one waits then
      await until(() => b.stats.received.frames > perTurn)
      const most = mostPerTurn(() => frames)
      b.resume()
      await until(() => frames === count)
      expect(most()).toBeLessThanOrEqual(perTurn)
    })

    test('come in batches and to an iterator complete, and the end behind them', async () => {
      const [a, b] = streamPair(options)
      let batched = 0
      a.onBatch((batch) => {
        batched += batch.length
      })
      const ended = new Promise<void>((resolve) => a.once('end', resolve))
      sendEmpty(b)
      void b.end()
      await ended
      expect(batched).toBe(count)

      const [c, d] = streamPair(options)
      sendEmpty(c)
      void c.end()
      let iterated = 0
      for await (const _frame of d) iterated++
      expect(iterated).toBe(count)
    })
  })
})

test('a stream that is destroyed, or paused, while it rests hands nothing on', async () => {
  const [a, b] = streamPair()
  sendEmpty(a)
  await a.flush()
  let frames = 0
  b.on('frame', () => frames++)
  await until(() => frames === perTurn)
  b.pause()
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
  expect(frames).toBe(perTurn)
  b.resume()
  await until(() => frames >= 2 * perTurn)
  b.destroy()
  const handed = frames
  for (let i = 0; i < 5; i++) await new Promise(setImmediate)
  expect(frames).toBe(handed)
})
