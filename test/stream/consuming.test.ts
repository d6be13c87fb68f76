/** The ways of consuming: event, batch, iterator. Each gets every frame once, in order, and owns what it was given. */
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type BatchOptions,
  Descriptor,
  type Frame,
  type FrameBatch,
  type FrameStream,
  UsageError,
} from '../../src/stream/index.js'
import {
  named,
  nameOf,
  namesOf,
  pattern,
  readinesses,
  same,
  streamPair,
  take,
  text,
  turns,
  until,
} from '../support/streams.js'
import { startChild } from '../transport/children/run.js'

/** Frames named 0, 1, 2 …, each with a descriptor of that name. */
function sendNamed(stream: FrameStream, count: number, from = 0): void {
  for (let i = from; i < from + count; i++) stream.send(Buffer.from(String(i)), [named(i)], { transfer: true })
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i))

describe.each(readinesses)('with readiness %s', (readiness) => {
  describe('by event', () => {
    test('each frame comes once, with its descriptors', async () => {
      const [a, b] = streamPair({ readiness })
      const names: string[] = []
      b.on('frame', (frame) => names.push(text(frame.payload), ...namesOf(frame)))
      sendNamed(a, 50)
      await a.flush()
      await until(() => names.length === 100)
      expect(names).toEqual(numbers(50).flatMap((name) => [name, name]))
    })

    test('`once` takes one, and the rest waits for the next listener', async () => {
      const [a, b] = streamPair({ readiness })
      sendNamed(a, 5)
      const first = await new Promise<Frame>((resolve) => b.once('frame', resolve))
      expect(namesOf(first)).toEqual(['0'])
      await turns()
      const second = await new Promise<Frame>((resolve) => b.once('frame', resolve))
      expect(namesOf(second)).toEqual(['1'])
      const names: string[] = []
      b.on('frame', (frame) => names.push(...namesOf(frame)))
      await until(() => names.length === 3)
      expect(names).toEqual(['2', '3', '4'])
    })

    test('a listener may go and come again: nothing is lost in between', async () => {
      const [a, b] = streamPair({ readiness })
      const names: string[] = []
      const listener = (frame: Frame) => {
        names.push(...namesOf(frame))
        if (names.length % 3 === 0) b.off('frame', listener)
      }
      sendNamed(a, 10)
      b.on('frame', listener)
      for (const heard of [3, 6, 9]) {
        await until(() => names.length === heard)
        await turns()
        expect(names.length).toBe(heard)
        b.on('frame', listener)
      }
      await until(() => names.length === 10)
      expect(names).toEqual(numbers(10))
    })

    test('several listeners are given the same frame', async () => {
      const [a, b] = streamPair({ readiness })
      const seen: Frame[] = []
      b.on('frame', (frame) => seen.push(frame))
      b.on('frame', (frame) => seen.push(frame))
      sendNamed(a, 1)
      await until(() => seen.length === 2)
      expect(seen[0]).toBe(seen[1])
      seen[0]?.[Symbol.dispose]()
    })

    test('pause in the midst of a wake-up holds the rest of it back until resume', async () => {
      const [a, b] = streamPair({ readiness })
      const names: string[] = []
      b.on('frame', (frame) => {
        names.push(...namesOf(frame))
        if (names.length === 4) b.pause()
      })
      sendNamed(a, 10)
      await until(() => names.length === 4)
      sendNamed(a, 10, 10)
      await turns()
      expect(names).toEqual(numbers(4))
      b.resume()
      await until(() => names.length === 20)
      expect(names).toEqual(numbers(20))
    })

    test('pause and resume at each frame lose nothing and change no order', async () => {
      const [a, b] = streamPair({ readiness })
      const names: string[] = []
      b.on('frame', (frame) => {
        names.push(...namesOf(frame))
        b.pause()
        setImmediate(() => b.resume())
      })
      sendNamed(a, 30)
      await until(() => names.length === 30)
      expect(names).toEqual(numbers(30))
    })

    test('a stream that was paused before anybody listened waits for resume', async () => {
      const [a, b] = streamPair({ readiness })
      b.pause()
      const names: string[] = []
      b.on('frame', (frame) => names.push(...namesOf(frame)))
      sendNamed(a, 2)
      await turns()
      b.on('frame', () => {})
      await turns()
      expect(names).toEqual([])
      b.resume()
      await until(() => names.length === 2)
    })

    test('destroy in a listener ends it there: nothing more comes, what was received is closed', async () => {
      const [a, b] = streamPair({ readiness })
      const names: string[] = []
      b.on('frame', (frame) => {
        names.push(...namesOf(frame))
        if (names.length === 3) b.destroy()
      })
      sendNamed(a, 10)
      await b.closed
      await turns()
      expect(names).toEqual(numbers(3))
    })

    test('payloads keep their bytes for as long as they are held', async () => {
      const [a, b] = streamPair({ readiness })
      const frames: Frame[] = []
      b.on('frame', (frame) => frames.push(frame))
      const count = 200
      for (let i = 0; i < count; i++) {
        if (!a.send(pattern(3_000, i))) await a.drained()
      }
      await until(() => frames.length === count)
      for (const [i, frame] of frames.entries()) expect(same(frame.payload, pattern(3_000, i))).toBe(true)
    })
  })

  describe('by batch', () => {
    test('all frames of a wake-up come in one call, in place', async () => {
      const [a, b] = streamPair({ readiness })
      sendNamed(a, 20)
      await a.flush()
      const batches: string[][] = []
      b.onBatch((batch) => {
        const names: string[] = []
        for (let i = 0; i < batch.length; i++) {
          names.push(text(batch.bytes.subarray(batch.start(i), batch.end(i))), ...batch.descriptors(i).map(nameOf))
          expect(batch.lost(i)).toBe(0)
        }
        batches.push(names)
      })
      await until(() => batches.flat().length === 40)
      expect(batches.flat()).toEqual(numbers(20).flatMap((name) => [name, name]))
      expect(batches.length).toBeLessThan(20)
    })

    test('descriptors that nobody took are closed behind the callback, looked at or not', async () => {
      const [a, b] = streamPair({ readiness })
      const looked: Descriptor[] = []
      let taken: number | undefined
      sendNamed(a, 3)
      await a.flush()
      let count = 0
      b.onBatch((batch) => {
        for (let i = 0; i < batch.length; i++, count++) {
          if (count === 1) looked.push(...batch.descriptors(i))
          if (count === 2) taken = batch.descriptors(i)[0]?.take()
        }
      })
      await until(() => count === 3)
      expect(looked.map(({ closed }) => closed)).toEqual([true])
      using kept = Descriptor.own(taken as number)
      expect(nameOf(kept)).toBe('2')
    })

    test.each<[string, BatchOptions]>([
      ['with `keeps`, a large frame has memory of its own, whether or not the slab had room for it', { keeps: true }],
      ['without, a frame lies in memory that is written again, whether or not the slab had room for it', {}],
    ])('%s', async (_, options) => {
      const [a, b] = streamPair({ readiness })
      const seen: { stays: boolean; alone: boolean; right: boolean; names: string[] }[] = []
      b.onBatch((batch) => {
        for (let i = 0; i < batch.length; i++) {
          const payload = batch.bytes.subarray(batch.start(i), batch.end(i))
          seen.push({
            stays: batch.stays,
            alone: payload.buffer.byteLength < payload.length + 100,
            right: same(payload, pattern(payload.length, seen.length)),
            names: batch.descriptors(i).map(nameOf),
          })
        }
      }, options)
      // One at a time, so that each is there whole when it is received; the small ones have to find their way as well.
      const lengths = [40_000, 40_000, 100, 40_000, 50_000, 40_000, 0, 40_000, 1_000_000, 40_000]
      for (const [i, length] of lengths.entries()) {
        b.pause()
        a.send(pattern(length, i), [named(String(i))], { transfer: true })
        if (length < 100_000) await a.flush()
        b.resume()
        await until(() => seen.length === i + 1)
      }
      expect(seen.map(({ right }) => right)).toEqual(lengths.map(() => true))
      expect(seen.map(({ names }) => names)).toEqual(lengths.map((_, i) => [String(i)]))
      const behindLarge = lengths.map((length, i) => length > 32_768 && (lengths[i - 1] ?? 0) > 32_768)
      for (const [i, { stays, alone }] of seen.entries()) {
        expect({ i, stays }).toEqual({
          i,
          stays: options.keeps === true && (lengths[i] === 1_000_000 || behindLarge[i]),
        })
        if (stays) expect({ i, alone }).toEqual({ i, alone: true })
      }
    })

    test('large frames lie in the same memory one after the other, and are whole', async () => {
      const [a, b] = streamPair({ readiness })
      const length = 1_000_000
      const seen: { memory: ArrayBufferLike; stays: boolean }[] = []
      b.onBatch((batch) => {
        const payload = batch.bytes.subarray(batch.start(0), batch.end(0))
        expect(same(payload, pattern(length, seen.length))).toBe(true)
        seen.push({ memory: batch.bytes.buffer, stays: batch.stays })
      })
      for (let count = 1; count <= 4; count++) {
        a.send(pattern(length, count - 1))
        await until(() => seen.length === count)
      }
      expect(new Set(seen.map(({ memory }) => memory)).size).toBe(1)
      expect(seen.map(({ stays }) => stays)).toEqual([false, false, false, false])
    })

    test('a frame of it outlives it, with its descriptors', async () => {
      const [a, b] = streamPair({ readiness })
      const frames: Frame[] = []
      b.onBatch((batch) => {
        for (let i = 0; i < batch.length; i++) {
          frames.push(batch.frame(i))
          expect(batch.descriptors(i)).toEqual([]) // they are the frame's now
          expect(batch.frame(i).descriptors).toEqual([])
        }
      })
      sendNamed(a, 10)
      await until(() => frames.length === 10)
      // Overwrites whatever is not theirs.
      for (let i = 0; i < 20; i++) a.send(new Uint8Array(15_000))
      await until(() => b.stats.received.frames === 30)
      for (const frame of frames.splice(10)) frame[Symbol.dispose]()
      expect(frames.map(({ payload }) => text(payload))).toEqual(numbers(10))
      expect(frames.flatMap(namesOf)).toEqual(numbers(10))
    })

    test('is of no use once the callback has returned', async () => {
      const [a, b] = streamPair({ readiness })
      let kept: FrameBatch | undefined
      b.onBatch((batch) => {
        expect(() => batch.start(batch.length)).toThrow(RangeError)
        for (const index of [-1, 0.5, Number.NaN, '0' as unknown as number]) {
          expect(() => batch.start(index)).toThrow(RangeError)
          expect(() => batch.descriptors(index)).toThrow(RangeError)
        }
        kept = batch
      })
      a.send(Buffer.from('x'))
      await until(() => kept !== undefined)
      expect(kept?.length).toBe(0)
      expect(kept?.bytes.length).toBe(0)
      for (const read of ['start', 'end', 'descriptors', 'lost', 'frame'] as const) {
        expect(() => kept?.[read](0)).toThrow(RangeError)
      }
    })

    test.each([100_000, 1_000_000])('a frame of %i bytes comes in a batch as well', async (size) => {
      const [a, b] = streamPair({ readiness })
      const seen: unknown[] = []
      b.onBatch((batch) => {
        for (let i = 0; i < batch.length; i++) {
          const payload = batch.bytes.subarray(batch.start(i), batch.end(i))
          seen.push(payload.length, same(payload, pattern(payload.length)), ...batch.descriptors(i).map(nameOf))
        }
      })
      for (const length of [10, size, 10]) a.send(pattern(length), [named(length)], { transfer: true })
      await until(() => seen.length === 9)
      expect(seen).toEqual([10, true, '10', size, true, String(size), 10, true, '10'])
    })

    test('pause in the callback holds back what is behind the batch; it comes later, in order', async () => {
      const [a, b] = streamPair({ readiness })
      const names: string[] = []
      b.onBatch((batch) => {
        for (let i = 0; i < batch.length; i++) names.push(...batch.descriptors(i).map(nameOf))
        b.pause()
      })
      sendNamed(a, 5)
      await until(() => names.length > 0)
      sendNamed(a, 5, 5)
      const held = names.length
      await turns()
      expect(names.length).toBe(held)
      while (names.length < 10) {
        b.resume()
        await turns(1)
      }
      expect(names).toEqual(numbers(10))
    })

    test('destroy in the callback leaves the batch as it is until the callback returns', async () => {
      const [a, b] = streamPair({ readiness })
      let names: string[] = []
      sendNamed(a, 3)
      await a.flush()
      b.onBatch((batch) => {
        b.destroy()
        names = Array.from({ length: batch.length }, (_, i) => batch.descriptors(i).map(nameOf)).flat()
      })
      await b.closed
      expect(names).toEqual(numbers(3).slice(0, names.length))
      expect(names.length).toBeGreaterThan(0)
    })

    test('sending from the callback goes out behind it, gathered', async () => {
      const [a, b] = streamPair({ readiness })
      b.onBatch((batch) => {
        for (let i = 0; i < batch.length; i++) b.send(batch.bytes.slice(batch.start(i), batch.end(i)))
      })
      for (const name of numbers(100)) a.send(Buffer.from(name))
      const echoes = await take(a, 100)
      expect(echoes.map(({ payload }) => text(payload))).toEqual(numbers(100))
      expect(b.stats.sent.systemCalls).toBeLessThan(20)
    })
  })

  describe('by iterator', () => {
    test('ends with the peer’s end', async () => {
      const [a, b] = streamPair({ readiness })
      sendNamed(a, 3)
      void a.end()
      const names: string[] = []
      for await (const frame of b) names.push(...namesOf(frame))
      expect(names).toEqual(numbers(3))
    })

    test('several `next` at once are answered in order, those past the end as well', async () => {
      const [a, b] = streamPair({ readiness })
      const frames = b[Symbol.asyncIterator]()
      const asked = Array.from({ length: 6 }, () => frames.next())
      sendNamed(a, 4)
      void a.end()
      const answers = await Promise.all(asked)
      expect(answers.map(({ done }) => done)).toEqual([false, false, false, false, true, true])
      expect(answers.flatMap(({ value }) => (value === undefined ? [] : namesOf(value)))).toEqual(numbers(4))
      expect(await frames.next()).toEqual({ value: undefined, done: true })
    })

    test.each(['break', 'throw', 'return'])('leaving the loop by %s destroys the stream', async (how) => {
      const [a, b] = streamPair({ readiness })
      sendNamed(a, 5)
      const leave = async () => {
        for await (const frame of b) {
          frame[Symbol.dispose]()
          if (how === 'throw') throw new Error('out')
          if (how === 'return') return
          break
        }
      }
      await leave().catch((error: Error) => expect(error.message).toBe('out'))
      expect(b.destroyed).toBe(true)
      await b.closed
      // The peer left input unread, or just went: either way the other end notices.
      await a.end().catch(() => {})
    })

    test('those who wait are let go when the stream is destroyed, with its error the first', async () => {
      for (const error of [undefined, new Error('why')]) {
        const [, b] = streamPair({ readiness })
        const frames = b[Symbol.asyncIterator]()
        const waiting = [frames.next(), frames.next()] as const
        b.destroy(error)
        if (error === undefined) expect(await waiting[0]).toEqual({ value: undefined, done: true })
        else await expect(waiting[0]).rejects.toBe(error)
        expect(await waiting[1]).toEqual({ value: undefined, done: true })
        expect(await frames.next()).toEqual({ value: undefined, done: true })
      }
    })

    test('a stream that is iterated only after it broke tells why', async () => {
      const [, b] = streamPair({ readiness })
      const why = new Error('why')
      b.on('error', () => {})
      b.destroy(why)
      await expect(take(b, 1)).rejects.toBe(why)
    })
  })
})

describe('the one way of consuming', () => {
  type Way = (stream: FrameStream) => unknown
  const ways: Record<string, Way> = {
    event: (stream) => stream.on('frame', () => {}),
    once: (stream) => stream.once('frame', () => {}),
    onBatch: (stream) => stream.onBatch(() => {}),
    iterator: (stream) => stream[Symbol.asyncIterator](),
    readable: (stream) => stream.readable,
  }
  const pairs = Object.keys(ways).flatMap((first) => Object.keys(ways).map((second) => [first, second] as const))
  const compatible = new Set(['event event', 'event once', 'once event', 'once once', 'readable readable'])

  test.each(pairs)('%s, then %s', (first, second) => {
    const [, b] = streamPair()
    ways[first]?.(b)
    const again = () => ways[second]?.(b)
    if (compatible.has(`${first} ${second}`)) again()
    else expect(again).toThrow(UsageError)
  })

  test('a second one that was refused does not disturb the first', async () => {
    const [a, b] = streamPair()
    const frames = b[Symbol.asyncIterator]()
    expect(() => b.on('frame', () => {})).toThrow(UsageError)
    expect(b.listenerCount('frame')).toBe(0)
    expect(() => b.onBatch(() => {})).toThrow(UsageError)
    sendNamed(a, 2)
    expect((await take(frames, 2)).flatMap(namesOf)).toEqual(numbers(2))
  })

  test('onBatch takes a function', async () => {
    const [a, b] = streamPair()
    expect(() => b.onBatch('x' as unknown as () => void)).toThrow(UsageError)
    // It has not counted as a way.
    sendNamed(a, 1)
    expect((await take(b, 1)).flatMap(namesOf)).toEqual(['0'])
  })

  test('nothing is received before there is one', async () => {
    const [a, b] = streamPair()
    sendNamed(a, 3)
    await a.flush()
    await turns()
    expect(b.stats.received).toMatchObject({ bytes: 0, frames: 0, systemCalls: 0 })
    expect((await take(b, 3)).flatMap(namesOf)).toEqual(numbers(3))
  })
})

test('what a consumer throws is uncaught, and costs nobody a frame', async () => {
  const child = startChild('../../stream/children/throwing-listeners.ts')
  onTestFinished(async () => void (await child.end()))
  const result = await child.answer()
  const all = ['1', '2', '3', '4', '5', '6']
  expect(result).toEqual({
    byEvent: { names: all, caught: ['at 2', 'at 3'] },
    // The rest of the batch that threw is lost with it: its callback had been given all of it.
    byBatch: { names: expect.arrayContaining(['1', '2']), caught: expect.arrayContaining(['at 2']) },
    byEnd: { names: ['2'], caught: ['at 2'] },
    otherStreams: { names: ['1', '2', '3', '4'], caught: ['at drain'] },
    // What could not be opened is no frame, also where an exception has put the rest of its wake-up off.
    badMemoryBehind: { lengths: [0], ended: 'ProtocolError', caught: ['at frame'] },
  })
})

test("the copy of a batch's frame, forgotten, is closed by the collector with a warning", async () => {
  const child = startChild('../../stream/children/forgotten-copy.ts')
  expect(await child.answer()).toEqual({
    leftInBatch: 0,
    openBehindTheBatch: true,
    openInTheEnd: false,
    warnings: ['PILLION_FORGOTTEN_DESCRIPTOR'],
  })
  expect(await child.end()).toBe(0)
})
