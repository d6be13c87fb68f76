/** Frame upon frame with descriptors: sets that wait together are received by few system calls, each to its own frame. */
import { describe, expect, test } from 'vitest'
import type { Frame, FrameStream, StreamOptions } from '../../src/stream/index.js'
import { named, namesOf, streamPair, take } from '../support/streams.js'

/** Around what is received at once, what is received alone, and what gets memory of its own. */
const sizes = [1, 30, 0, 500, 504, 505, 5000, 60, 4088, 4089, 3, 40_000, 7, 7, 7, 511, 512, 513, 0, 900]

describe.each<StreamOptions>([
  { readiness: 'level' },
  { readiness: 'edge' },
  { readiness: 'level', descriptorHeadroom: 0 },
])('with %o', (options) => {
  test('frames of many sizes, sent in one tick, have each its own descriptors', async () => {
    const [a, b] = streamPair({ sendBuffer: 1024 * 1024, ...options })
    const sent = Array.from({ length: 5 }, () => sizes).flat()
    sent.forEach((size, i) => {
      const names = Array.from({ length: i % 4 }, (_, k) => `${i}.${k}`)
      sendNamed(a, Buffer.alloc(size, i), names)
    })
    const frames = await take(b, sent.length)
    frames.forEach((frame, i) => {
      expect(frame.payload).toEqual(new Uint8Array(sent[i] as number).fill(i))
      expect(namesOf(frame)).toEqual(Array.from({ length: i % 4 }, (_, k) => `${i}.${k}`))
    })
  })

  test('one by one, then many together, then the end: nothing is left behind', async () => {
    const [a, b] = streamPair(options)
    const came: string[] = []
    const ended = new Promise<void>((resolve) => b.once('end', resolve))
    b.on('frame', (frame: Frame) => {
      came.push(...namesOf(frame))
      frame[Symbol.dispose]()
    })
    const names: string[] = []
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 30; i++) {
        const name = `${round}-${i}`
        names.push(name)
        sendNamed(a, Buffer.from('x'), [name])
        while (came.length < names.length) await new Promise((resume) => setImmediate(resume))
      }
      for (let i = 0; i < 60; i++) {
        const name = `${round}+${i}`
        names.push(name)
        sendNamed(a, Buffer.from('xy'), [name])
      }
      while (came.length < names.length) await new Promise((resume) => setImmediate(resume))
    }
    names.push('last')
    sendNamed(a, Buffer.from('z'), ['last'])
    await a.end()
    await ended
    expect(came).toEqual(names)
    await b.end()
  })
})

test.each(['level', 'edge'] as const)(
  'a reset is told of behind all that came before it, by %s readiness',
  async (readiness) => {
    const [a, b] = streamPair({ sendBuffer: 1024 * 1024, readiness })
    b.send(Buffer.from('never read'))
    await b.flush()
    const names = Array.from({ length: 40 }, (_, i) => `${i}`)
    for (const name of names) sendNamed(a, Buffer.from('x'), [name])
    await a.flush()
    a.destroy() // with input unread: a reset, which the kernel notes at the other end while all of this waits there
    const came: string[] = []
    const iterate = async () => {
      for await (using frame of b) came.push(...namesOf(frame))
    }
    await expect(iterate()).rejects.toMatchObject({ code: 'ECONNRESET', syscall: 'recvmsg' })
    expect(came).toEqual(names)
  },
)

test('a batch closes what it was asked for and what it was not, however many there are', async () => {
  const [a, b] = streamPair({ sendBuffer: 1024 * 1024 })
  let frames = 0
  const kept: string[] = []
  for (let i = 0; i < 90; i++)
    sendNamed(
      a,
      Buffer.from('x'),
      Array.from({ length: 8 }, (_, k) => `${i}.${k}`),
    )
  await new Promise<void>((resolve) => {
    b.onBatch((batch) => {
      for (let i = 0; i < batch.length; i++, frames++) {
        if (frames % 3 === 0) continue
        if (frames % 3 === 1) batch.descriptors(i)[2]?.close()
        if (frames % 30 === 2) {
          using frame = batch.frame(i)
          kept.push(...namesOf(frame))
        }
      }
      if (frames === 90) resolve()
    })
  })
  expect(kept).toEqual([2, 32, 62].flatMap((i) => Array.from({ length: 8 }, (_, k) => `${i}.${k}`)))
})

/** Borrowed: they are sent, or duplicated, before this returns. */
function sendNamed(stream: FrameStream, payload: Buffer, names: readonly string[]): void {
  const descriptors = names.map((name) => named(name))
  stream.send(payload, descriptors)
  for (const descriptor of descriptors) descriptor.close()
}
