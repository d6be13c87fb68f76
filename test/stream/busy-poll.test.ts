/** busyPoll: spinning changes when a frame is seen, not which; and it comes to an end. */
import { mkdtempSync, rmSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { listen } from '../../src/stream/index.js'
import {
  destroyedAfterTest,
  named,
  namesOf,
  readinesses,
  streamPair,
  take,
  takeAll,
  text,
  until,
} from '../support/streams.js'
import { startChild } from '../transport/children/run.js'

describe.each(readinesses)('with readiness %s', (readiness) => {
  test('two processes that both spin answer each other, and both end', async () => {
    const directory = mkdtempSync('/tmp/pillion-busy-')
    onTestFinished(() => rmSync(directory, { recursive: true }))
    await using server = await listen(`${directory}/s`, { busyPoll: 500, readiness })
    const child = startChild('../../stream/children/echo.ts', [`${directory}/s`, readiness])
    const accepted = await server[Symbol.asyncIterator]().next()
    const stream = destroyedAfterTest(accepted.value!)
    const frames = stream[Symbol.asyncIterator]()
    for (let i = 0; i < 300; i++) {
      stream.send(Buffer.from(String(i)), [named(i)], { transfer: true })
      const [frame] = await take(frames, 1)
      expect([text(frame!.payload), ...namesOf(frame!)]).toEqual([String(i), String(i)])
    }
    await stream.end()
    expect((await frames.next()).done).toBe(true)
    expect(await child.end()).toBe(0)
  })

  test('both ends in one thread spin in turn, and timers and other streams have theirs', async () => {
    const [a, b] = streamPair({ readiness, busyPoll: 200 })
    const [c, d] = streamPair({ readiness })
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    onTestFinished(() => clearInterval(timer))
    b.on('frame', ({ payload }) => b.send(payload))
    const echoed = takeAll(a)
    for (let i = 0; i < 200; i++) {
      a.send(Buffer.from(String(i)))
      if (i % 10 === 0) await new Promise(setImmediate)
    }
    c.send(Buffer.from('meanwhile'))
    expect(text((await take(d, 1))[0]!.payload)).toBe('meanwhile')
    await until(() => ticks > 0, 'a timer')
    await a.end()
    await b.end()
    expect((await echoed).map(({ payload }) => text(payload))).toEqual(Array.from({ length: 200 }, (_, i) => String(i)))
  })

  test('pause and destroy in a callback end the spinning', async () => {
    const [a, b] = streamPair({ readiness, busyPoll: 2_000_000 }) // the budget of a wake-up ends it after 2 ms
    let seen = 0
    b.on('frame', () => {
      seen++
      if (seen === 1) b.pause()
      else b.destroy()
    })
    a.send(Buffer.from('x'))
    a.send(Buffer.from('y'))
    await until(() => seen === 1)
    b.resume()
    await b.closed
    expect(seen).toBe(2)
  })
})
