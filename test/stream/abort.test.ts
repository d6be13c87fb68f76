/** Abort signals: of a stream they end the stream, of something that waits they end the waiting alone. */
import { getEventListeners } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { ClosedError, connect, type FrameStream, listen } from '../../src/stream/index.js'
import { destroyedAfterTest, fill, streamPair, take, takeAll, turns } from '../support/streams.js'

let path = ''
beforeEach(() => {
  const directory = mkdtempSync('/tmp/pillion-abort-')
  path = `${directory}/s`
  onTestFinished(() => rmSync(directory, { recursive: true }))
})

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length

describe('the signal of a stream', () => {
  test('destroys it when aborted, with the reason as its error', async () => {
    const controller = new AbortController()
    const [a, b] = streamPair({ signal: controller.signal })
    fill(a)
    const outcomes = Promise.allSettled([a.closed, a.flush(), b.closed])
    controller.abort(new Error('enough'))
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'enough' } })
    }
    expect([a.destroyed, b.destroyed]).toEqual([true, true])
  })

  test('may be aborted for no error at all', async () => {
    const controller = new AbortController()
    const [a, b] = streamPair({ signal: controller.signal })
    const closed = Promise.allSettled([a.closed, b.closed])
    controller.abort('a string')
    for (const outcome of await closed) expect(outcome).toMatchObject({ reason: expect.any(ClosedError) })
  })

  test('that was aborted before is as good: the stream is destroyed from the start', async () => {
    const [a, b] = streamPair({ signal: AbortSignal.abort(new Error('before')) })
    await expect(a.closed).rejects.toThrow('before')
    await expect(b.closed).rejects.toThrow('before')
    expect(() => a.send(Buffer.from('x'))).toThrow(ClosedError)
  })

  test('is let go of when the stream is over', () => {
    const { signal } = new AbortController()
    const [a, b] = streamPair({ signal })
    expect(listenersOf(signal)).toBe(2)
    a.destroy()
    b.destroy()
    expect(listenersOf(signal)).toBe(0)
  })
})

test('many may share a signal: it is no leak, and nobody is warned of one', async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  onTestFinished(() => void process.off('warning', onWarning))
  const { signal } = new AbortController()
  const streams = Array.from({ length: 6 }, () => streamPair({ signal })).flat()
  const other = new AbortController()
  const waiting = streams.flatMap((stream) => {
    fill(stream)
    return [stream.drained({ signal: other.signal }), stream.end({ signal: other.signal })]
  })
  const listening = Array.from({ length: 11 }, (_, i) => listen(`${path}${i}`, { signal }))
  for (const server of await Promise.all(listening)) await server.close()
  await turns()
  expect(warnings).toEqual([])
  other.abort()
  await Promise.allSettled(waiting)
})

describe.each(['drained', 'flush', 'end'] as const)('the signal of %s', (method) => {
  test('ends the waiting, and nothing else', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const [a, b] = streamPair()
    const count = fill(a)
    const waiting = a[method]({ signal })
    expect(listenersOf(signal)).toBe(1)
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(listenersOf(signal)).toBe(0)
    expect(a.destroyed).toBe(false)

    const received = take(b, count)
    await a[method]()
    expect(await received).toHaveLength(count)
  })

  test('that was aborted before ends it at once', async () => {
    const [a] = streamPair()
    fill(a)
    const reason = new Error('before')
    await expect(a[method]({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(a.destroyed).toBe(false)
  })

  test('is let go of when there is nothing more to wait for', async () => {
    const { signal } = new AbortController()
    const [a, b] = streamPair()
    fill(a)
    const waiting = a[method]({ signal })
    void takeAll(b)
    await waiting
    await turns(1)
    expect(listenersOf(signal)).toBe(0)
    await a.end()
  })
})

describe('the signal of connect and listen', () => {
  test('that was aborted before: they reject with its reason, and leave nothing', async () => {
    const reason = new Error('before')
    await expect(listen(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await expect(connect(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  test('aborted while a connection waits for the backlog: it rejects with its reason', async () => {
    await using server = await listen(path, { backlog: 0 })
    const waiting = [connect(server.address), connect(server.address), connect(server.address)]
    const controller = new AbortController()
    waiting.push(connect(server.address, { signal: controller.signal }))
    const outcomes = Promise.allSettled(waiting)
    const reason = new Error('enough')
    await turns()
    controller.abort(reason)
    await expect(waiting[3]).rejects.toBe(reason)
    server.on('connection', (stream) => destroyedAfterTest(stream))
    for (const outcome of await outcomes) if (outcome.status === 'fulfilled') outcome.value.destroy()
  })

  test.each([0, 1, 2, 3, 5, 8])(
    'aborted %i microtasks after the call: it rejects, or what it gave is destroyed',
    async (delay) => {
      await using server = await listen(path)
      server.on('connection', (stream) => destroyedAfterTest(stream))
      const abortedAfter = async <T>(begin: (signal: AbortSignal) => Promise<T>): Promise<T | string> => {
        const controller = new AbortController()
        const opening = begin(controller.signal).then(
          (opened) => opened,
          (reason) => String(reason),
        )
        for (let i = 0; i < delay; i++) await null
        controller.abort('stopped')
        return opening
      }
      const stream = await abortedAfter((signal) => connect(server.address, { signal }))
      if (typeof stream === 'string') expect(stream).toBe('stopped')
      else expect(stream.destroyed).toBe(true)
      const other = await abortedAfter((signal) => listen(`${String(server.address)}-2`, { signal }))
      if (typeof other === 'string') expect(other).toBe('stopped')
      else expect(other.closed).toBe(true)
      if (delay === 0) expect([stream, other]).toEqual(['stopped', 'stopped'])
      expect(existsSync(`${String(server.address)}-2`)).toBe(false)
    },
  )

  test('aborted just when there is room in the backlog: it rejects, and the server sees the end of it', async () => {
    await using server = await listen(path, { backlog: 0 })
    const held = await connect(server.address)
    const controller = new AbortController()
    const waiting = connect(server.address, { signal: controller.signal }).catch((reason) => String(reason))
    await turns()
    const streams: FrameStream[] = []
    server.on('connection', (stream) => {
      streams.push(destroyedAfterTest(stream))
      controller.abort('stopped')
    })
    expect(await waiting).toBe('stopped')
    held.destroy()
    await turns()
    expect(streams).toHaveLength(1)
  })

  test('aborted later destroys the connection, or closes the server', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const server = await listen(path, { signal })
    server.on('connection', (stream) => destroyedAfterTest(stream))
    const stream = destroyedAfterTest(await connect(path, { signal }))
    const closed = expect(stream.closed).rejects.toThrow('later')
    controller.abort(new Error('later'))
    expect(server.closed).toBe(true)
    await closed
    expect(listenersOf(signal)).toBe(0)
  })

  test('is not that of the streams that a server accepts', async () => {
    const controller = new AbortController()
    const server = await listen(path, { signal: controller.signal })
    const connected = connect(path)
    for await (const stream of server) {
      destroyedAfterTest(stream)
      controller.abort()
      expect(server.closed).toBe(true)
      expect(stream.destroyed).toBe(false)
    }
    destroyedAfterTest(await connected)
  })
})
