/**
 * Random frames through the real kernel, whose send buffer is made so small that it splits nearly all of them, to
 * readers that stop and go at random: always the right descriptors with the right bytes.
 *
 * The simulated kernel has the same property at every read size; here nothing is simulated.
 */

import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Descriptor, FrameStream, pair } from '../../src/stream/index.js'
import { streamSettings } from '../../src/stream/options.js'
import { pairUnix, UnixSocket } from '../../src/transport/index.js'
import { wire } from '../peers/wire.js'
import { type SeenFrame, seenFrame } from '../support/collect.js'
import { readinesses } from '../support/streams.js'
import { closeAll, makeTokens } from '../support/tokens.js'

/** Few files, which all frames share; the kernel's least is 4,608 bytes of buffer, an skb's overhead included. */
let files: readonly Descriptor[] = []
const kinds = 16
const sendBuffer = 1
const maxDescriptors = 300

beforeAll(() => {
  files = makeTokens(Array.from({ length: kinds }, (_, i) => i))
})

afterAll(() => closeAll(files))

interface Shape {
  readonly size: number
  readonly descriptors: number
}

const shapes = fc.array(
  fc.record({
    size: fc.oneof(
      { weight: 4, arbitrary: fc.nat(60) },
      { weight: 2, arbitrary: fc.nat(9_000) },
      { weight: 1, arbitrary: fc.nat(90_000) },
    ),
    descriptors: fc.oneof(
      { weight: 4, arbitrary: fc.constant(0) },
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 5 }) },
      { weight: 1, arbitrary: fc.integer({ min: 250, max: maxDescriptors }) },
    ),
  }),
  { minLength: 1, maxLength: 30 },
)

/** Turns of the loop that somebody lets pass, again and again. */
const pauses = fc.infiniteStream(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(4)))
type Pauses = Iterator<number>

/** What is sent: no frame is like the next, nor are its descriptors. */
function framesOf(all: readonly Shape[]): SeenFrame[] {
  return all.map(({ size, descriptors }, i) => ({
    payload: `${i} `.padEnd(size, String.fromCharCode(33 + (i % 90))),
    tokens: Array.from({ length: descriptors }, (_, k) => (i * 5 + k * k) % kinds),
    lost: 0,
  }))
}

const filesOf = (tokens: readonly number[]) => tokens.map((token) => files[token] as Descriptor)

async function pause(by: Pauses): Promise<void> {
  for (let turns = by.next().value as number; turns > 0; turns--) await nextTurn()
}

type Reader = (stream: FrameStream, by: Pauses) => Promise<SeenFrame[]>

const readers: Readonly<Record<string, Reader>> = {
  async iterator(stream, by) {
    const seen: SeenFrame[] = []
    for await (const frame of stream) {
      seen.push(seenFrame(frame))
      await pause(by)
    }
    return seen
  },

  async event(stream, by) {
    const seen: SeenFrame[] = []
    stream.on('frame', (frame) => {
      seen.push(seenFrame(frame))
      stream.pause()
      void pause(by).then(() => stream.resume())
    })
    await new Promise<void>((resolve, reject) => stream.on('end', resolve).on('error', reject))
    return seen
  },

  async batch(stream, by) {
    const seen: SeenFrame[] = []
    stream.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++) seen.push(seenFrame(batch.frame(i)))
      stream.pause()
      void pause(by).then(() => stream.resume())
    })
    await new Promise<void>((resolve, reject) => stream.on('end', resolve).on('error', reject))
    return seen
  },
}

describe.each(readinesses)('with %s readiness and the smallest send buffer', (readiness) => {
  it.each(Object.keys(readers))('frames of one stream reach the other as they were sent, by %s', async (way) => {
    let systemCalls = 0
    let sends = 0
    const property = fc.asyncProperty(shapes, pauses, pauses, async (all, ofWriter, ofReader) => {
      const frames = framesOf(all)
      const [left, right] = pair({ readiness, sendBuffer, maxDescriptors, highWaterMark: 20_000 })
      try {
        const reading = (readers[way] as Reader)(right, ofReader)
        for (const { payload, tokens } of frames) {
          if (!left.send(Buffer.from(payload, 'latin1'), filesOf(tokens))) await left.drained()
          await pause(ofWriter)
        }
        await left.end()

        expect(await reading).toEqual(frames)
        systemCalls += left.stats.sent.systemCalls
        sends += frames.length
      } finally {
        left.destroy()
        right.destroy()
      }
    })
    await fc.assert(property, { numRuns: 40 })
    // The buffer was small enough to matter.
    expect(systemCalls).toBeGreaterThan(sends)
  })

  it('frames cut into sends anywhere, their sets on any of their bytes, are put together again', async () => {
    const cutsOf = fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true }))
    const property = fc.asyncProperty(shapes, cutsOf, pauses, pauses, async (all, dice, ofWriter, ofReader) => {
      const frames = framesOf(all)
      const [ours, theirs] = pairUnix()
      const stream = FrameStream.over(ours, streamSettings({ readiness, maxDescriptors }))
      const writer = new CutWriter(theirs)
      try {
        const reading = (readers.iterator as Reader)(stream, ofReader)
        for (const { payload, tokens } of frames) {
          writer.write(wire(payload, tokens.length), tokens, (sides) => Math.floor(dice.next().value * sides))
          await pause(ofWriter)
        }
        await writer.end()

        expect(await reading).toEqual(frames)
      } finally {
        stream.destroy()
        writer.socket.close()
      }
    })
    await fc.assert(property, { numRuns: 40 })
  })
})

/** A sender that knows the format and nothing of how pillion lays it out into sends. */
class CutWriter {
  readonly socket: UnixSocket
  #group = 0

  constructor(fd: number) {
    const handlers = {
      onReceived: () => 0,
      onDeliver() {},
      onEnd() {},
      onReceiveError() {},
      onSendError() {},
      onRefused() {},
      onSent() {},
      onPressure() {},
    }
    this.socket = new UnixSocket(fd, handlers, { sendBuffer })
  }

  /** A frame in sends of its own, cut at random; each of its sets begins one of them. */
  write(text: string, tokens: readonly number[], roll: (sides: number) => number): void {
    const bytes = Buffer.from(text, 'latin1')
    const fds = filesOf(tokens).map(({ fd }) => fd)
    const begins = new Set([0, ...Array.from({ length: roll(6) }, () => roll(bytes.length))])
    const least = Math.ceil(fds.length / 253)
    while (begins.size < least) begins.add(roll(bytes.length))
    const cuts = [...begins].sort((a, b) => a - b)
    for (const [i, start] of cuts.entries()) {
      const left = cuts.length - i - 1
      // What the sends behind it cannot take has to go with this one.
      const atLeast = Math.max(0, fds.length - left * 253)
      const count = left === 0 ? fds.length : atLeast + roll(Math.min(253, fds.length) - atLeast + 1)
      const riding = fds.splice(0, count)
      const end = cuts[i + 1] ?? bytes.length
      const piece = { bytes, start, end, fds: riding, owned: false, startsSend: true, endsSend: true }
      this.socket.queue.push({ ...piece, begins: i === 0, group: ++this.#group })
    }
    this.socket.flush()
  }

  async end(): Promise<void> {
    while (!this.socket.queue.empty) await nextTurn()
    this.socket.shutDown()
  }
}
