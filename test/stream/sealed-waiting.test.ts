/**
 * A frame whose payload is in a memfd costs its reader nothing before it is handed out: a peer sends 16 bytes for as much as
 * `maxPayload`.
 */
import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { binding } from '../../src/transport/native.js'
import { named, namesOf, pattern, readinesses, same, streamPair, take } from '../support/streams.js'

const MiB = 1024 * 1024

/** Payloads that are mapped here. */
function mapped(): number {
  return readFileSync('/proc/self/maps', 'utf8')
    .split('\n')
    .filter((line) => line.includes('pillion-payload')).length
}

/** Maps the first `good` payloads, and has no memory for the others. */
function runOutBehind(good: number): void {
  const { mapMemfd } = binding
  let left = good
  vi.spyOn(binding, 'mapMemfd').mockImplementation((fd, length) => (left-- > 0 ? mapMemfd(fd, length) : -12))
}

afterEach(() => void vi.restoreAllMocks())

describe.each(readinesses)('with readiness %s', (readiness) => {
  test('frames that wait are not mapped, and weigh what they will be', async () => {
    const [a, b] = streamPair({ readiness, memfdFrom: 1, highWaterMark: 4 * MiB })
    for (let i = 0; i < 10; i++) a.send(pattern(MiB, i))
    const frames = b[Symbol.asyncIterator]()
    const before = mapped()
    const [first] = await take(frames, 1)
    expect(same(first!.payload, pattern(MiB, 0))).toBe(true)
    expect(mapped() - before).toBe(1)
    expect(b.stats.received).toMatchObject({ frames: 10, pauses: 1 })
    for (const [i, { payload }] of (await take(frames, 9)).entries()) {
      expect(same(payload, pattern(MiB, i + 1))).toBe(true)
    }
  })

  test.each(['frame', 'onBatch'] as const)('between those handed on by `%s` the loop has its turn', async (way) => {
    const [a, b] = streamPair({ readiness, memfdFrom: 1 })
    for (let i = 0; i < 8; i++) a.send(pattern(4 * MiB, i))
    const order: string[] = []
    const all = new Promise<void>((resolve) => {
      const seen = (): void => {
        if (order.length === 0) setImmediate(() => order.push('turn'))
        order.push('frame')
        if (order.filter((what) => what === 'frame').length === 8) resolve()
      }
      if (way === 'frame') b.on('frame', seen)
      else b.onBatch(seen)
    })
    await all
    expect(order.indexOf('turn')).toBe(2)
  })

  test.each(['next', 'frame', 'onBatch'] as const)(
    'no memory for one ends the stream behind those before it, by `%s`',
    async (way) => {
      const [a, b] = streamPair({ readiness, memfdFrom: 1 })
      runOutBehind(2)
      for (let i = 0; i < 5; i++) a.send(pattern(100, i), [named(i)], { transfer: true })
      const seen: unknown[] = []
      const closed = expect(b.closed).rejects.toMatchObject({ code: 'ENOMEM', syscall: 'mmap' })
      if (way === 'next') {
        const frames = b[Symbol.asyncIterator]()
        for (const frame of await take(frames, 2)) seen.push(...namesOf(frame))
        await expect(frames.next()).rejects.toMatchObject({ syscall: 'mmap' })
        expect(await frames.next()).toEqual({ value: undefined, done: true })
      } else if (way === 'frame') {
        b.on('frame', (frame) => seen.push(...namesOf(frame)))
      } else {
        b.onBatch((batch) => {
          for (let i = 0; i < batch.length; i++) seen.push(...namesOf(batch.frame(i)))
        })
      }
      await closed
      expect(seen).toEqual(['0', '1'])
    },
  )

  test('also where the peer’s proper end has been seen already', async () => {
    const [a, b] = streamPair({ readiness, memfdFrom: 1 })
    runOutBehind(1)
    a.send(pattern(100, 0))
    a.send(pattern(100, 1))
    await a.end()
    const frames = b[Symbol.asyncIterator]()
    await take(frames, 1)
    await new Promise(setImmediate) // the end has come by then
    const closed = expect(b.closed).rejects.toMatchObject({ syscall: 'mmap' })
    await expect(frames.next()).rejects.toMatchObject({ syscall: 'mmap' })
    await closed
  })

  test('what waits is closed with the stream', async () => {
    const [a, b] = streamPair({ readiness, memfdFrom: 1 })
    for (let i = 0; i < 10; i++) a.send(pattern(1000, i), [named(i)], { transfer: true })
    for (const frame of await take(b, 1)) namesOf(frame)
    b.destroy()
  })
})
