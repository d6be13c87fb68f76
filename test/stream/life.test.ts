/** The life of a stream: ended on one side or both, destroyed at any moment, broken by its peer. */

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  adopt,
  ClosedError,
  type Descriptor,
  type FrameStream,
  ProtocolError,
  SystemError,
  UsageError,
} from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { binding } from '../../src/transport/native.js'
import { needs } from '../support/needs.js'
import {
  destroyedAfterTest,
  fill,
  named,
  namesOf,
  pattern,
  pythonPeer,
  readinesses,
  streamPair,
  take,
  takeAll,
  text,
  turns,
  until,
} from '../support/streams.js'

/** The names of all that it emits from now on, `frame` aside. */
function emitted(stream: FrameStream): string[] {
  const names: string[] = []
  for (const name of ['drain', 'end', 'error', 'close', 'refused'] as const) stream.on(name, () => names.push(name))
  return names
}

describe.each(readinesses)('with readiness %s', (readiness) => {
  describe('end', () => {
    test('half-closes: what was sent arrives, then the end, and the other direction lives on', async () => {
      const [a, b] = streamPair({ readiness })
      a.send(Buffer.from('question'), [named('with')], { transfer: true })
      await a.end()

      const frames = await takeAll(b)
      expect(frames.map((frame) => [text(frame.payload), namesOf(frame)])).toEqual([['question', ['with']]])
      expect([a.destroyed, b.destroyed]).toEqual([false, false])
      b.send(Buffer.from('answer'))
      const ended = b.end()
      const answers = await takeAll(a)
      expect(answers.map(({ payload }) => text(payload))).toEqual(['answer'])
      await ended
      await Promise.all([a.closed, b.closed])
    })

    test('waits for what is queued, however much that is', async () => {
      const [a, b] = streamPair({ readiness })
      const count = fill(a, pattern(50_000))
      let ended = false
      const end = a.end().then(() => {
        ended = true
      })
      await turns()
      expect(ended).toBe(false)
      expect(await takeAll(b)).toHaveLength(count)
      await end
    })

    test('closes a stream by itself once both sides have ended, whichever was first', async () => {
      for (const first of ['ours', 'theirs'] as const) {
        const [a, b] = streamPair({ readiness })
        const events = emitted(a)
        a.on('frame', () => {})
        b.on('frame', () => {})
        if (first === 'ours') {
          await a.end()
          await once(b as never, 'end')
          await b.end()
        } else {
          await b.end()
          await until(() => events.includes('end'))
          await a.end()
        }
        await Promise.all([a.closed, b.closed])
        expect(events).toEqual(['end', 'close'])
        expect([a.destroyed, b.destroyed]).toEqual([true, true])
      }
    })

    test('needs no consumer to know that both sides have ended', async () => {
      const [a, b] = streamPair({ readiness })
      a.send(Buffer.from('x'))
      await Promise.all([a.end(), takeAll(b)])
      await b.end()
      await Promise.all([a.closed, b.closed])
    })

    test('leaves frames that come to a stream without a consumer for one that comes later', async () => {
      const [a, b] = streamPair({ readiness })
      await a.end()
      b.send(Buffer.from('late'), [named('late')], { transfer: true })
      await b.end()
      await turns()
      expect(a.destroyed).toBe(false)
      expect((await takeAll(a)).flatMap(namesOf)).toEqual(['late'])
      await a.closed
    })

    test('may be called again: it is the same end', async () => {
      const [a, b] = streamPair({ readiness })
      fill(a)
      const ends = [a.end(), a.end()]
      await Promise.all([takeAll(b), ...ends, a.end()])
    })
  })

  describe('destroy', () => {
    const moments: Record<string, (a: FrameStream, b: FrameStream) => Promise<void> | void> = {
      'before anything': () => {},
      'with a frame sent in this tick': (a) => {
        a.send(Buffer.from('x'))
        a.send(Buffer.from('y'), [named('y')], { transfer: true })
      },
      'with frames queued behind a full kernel': (a) => {
        fill(a)
        a.send(Buffer.from('y'), [named('y')], { transfer: true })
      },
      'with frames queued on both sides': (a, b) => {
        for (const end of [a, b]) {
          fill(end)
          end.send(Buffer.from('y'), [named('y')], { transfer: true })
        }
      },
      'with frames received that nobody took': async (a, b) => {
        const frames = a[Symbol.asyncIterator]()
        for (let i = 0; i < 10; i++) b.send(Buffer.from('y'), [named(i)], { transfer: true })
        ;(await frames.next()).value?.[Symbol.dispose]()
      },
      'while paused, with frames received': async (a, b) => {
        a.on('frame', (frame) => {
          frame[Symbol.dispose]()
          a.pause()
        })
        for (let i = 0; i < 10; i++) b.send(Buffer.from('y'), [named(i)], { transfer: true })
        await until(() => a.stats.received.frames > 0)
      },
      'in the midst of a large frame with descriptors': async (a, b) => {
        a.on('frame', () => {})
        b.send(pattern(5_000_000), [named('large')], { transfer: true })
        await until(() => a.stats.received.bytes > 0)
      },
      'in the midst of the sets of a frame': async (a, b) => {
        a.on('frame', () => {})
        const descriptors = Array.from({ length: 600 }, (_, i) => named(i))
        b.send(pattern(3_000_000), descriptors, { transfer: true })
        await until(() => a.stats.received.bytes > 0)
      },
      'once it has ended': (a) => a.end(),
      'once the peer has ended': async (a, b) => {
        a.on('frame', () => {})
        const ended = once(a as never, 'end')
        await b.end()
        await ended
      },
      'while it is ending': (a) => {
        fill(a)
        void a.end()
      },
    }

    test.each(Object.entries(moments))('%s closes all, and says so once', async (_name, reach) => {
      const [a, b] = streamPair({ readiness, maxDescriptors: 1024 })
      await reach(a, b)
      const events = emitted(a)
      const closed = a.closed
      a.destroy()
      a.destroy(new Error('too late to matter'))
      expect(events).toEqual(['close'])
      expect(a.destroyed).toBe(true)
      await closed
      await turns()
      expect(events).toEqual(['close'])
    })

    test.each(Object.entries(moments))('%s, with an error that reaches whoever looks', async (_name, reach) => {
      const [a, b] = streamPair({ readiness, maxDescriptors: 1024 })
      await reach(a, b)
      const events = emitted(a)
      const why = new Error('why')
      const waiting = [a.closed, a.end().then(() => a.flush()), a.flush().then(() => a.drained())]
      const outcomes = Promise.allSettled(waiting)
      a.destroy(why)
      expect(events).toEqual(['error', 'close'])
      const [closed] = await outcomes
      expect(closed).toEqual({ status: 'rejected', reason: why })
      await expect(a.closed).rejects.toBe(why)
      await expect(a.flush()).rejects.toBe(why)
    })

    test('lets whoever waits for the queue know', async () => {
      const [a] = streamPair({ readiness })
      fill(a)
      const waiting = Promise.allSettled([a.drained(), a.flush(), a.end()])
      a.destroy()
      for (const outcome of await waiting) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(ClosedError) })
      }
    })

    test('is seen by the peer: as the end, or as a reset when input was left unread', async () => {
      const [a, b] = streamPair({ readiness })
      a.send(Buffer.from('last words'))
      a.destroy()
      expect((await takeAll(b)).map(({ payload }) => text(payload))).toEqual(['last words'])

      const [c, d] = streamPair({ readiness })
      d.send(Buffer.from('unread'))
      c.send(Buffer.from('last words'))
      c.destroy()
      const frames = d[Symbol.asyncIterator]()
      const [last] = await take(frames, 1)
      expect(text(last!.payload)).toBe('last words')
      await expect(frames.next()).rejects.toMatchObject({ constructor: SystemError, code: 'ECONNRESET' })
      await expect(d.closed).rejects.toMatchObject({ code: 'ECONNRESET', syscall: 'recvmsg' })
    })
  })

  describe('a peer that is gone', () => {
    test('makes sending fail: the stream ends with EPIPE when nobody receives', async () => {
      const [a, b] = streamPair({ readiness })
      b.destroy()
      const closed = expect(a.closed).rejects.toMatchObject({ code: 'EPIPE', syscall: 'sendmsg' })
      a.send(Buffer.from('x'))
      await closed
      expect(() => a.send(Buffer.from('y'))).toThrow(ClosedError)
    })

    test('is consumed to the end first: what it sent before comes, then the error', async () => {
      const [a, b] = streamPair({ readiness })
      for (let i = 0; i < 3; i++) b.send(Buffer.from(String(i)), [named(i)], { transfer: true })
      await b.flush()
      b.destroy()
      const frames = a[Symbol.asyncIterator]()
      a.send(Buffer.from('x')) // EPIPE
      expect((await take(frames, 3)).flatMap(namesOf)).toEqual(['0', '1', '2'])
      await expect(a.closed).rejects.toMatchObject({ code: 'EPIPE' })
    })

    test('while the queue is full ends it as well, and those who wait for the queue are told', async () => {
      const [a, b] = streamPair({ readiness })
      fill(a)
      const waiting = Promise.allSettled([a.drained(), a.flush(), a.end(), a.closed])
      b.destroy()
      for (const outcome of await waiting) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(SystemError) })
      }
    })
  })

  describe('a peer that breaks the protocol', () => {
    const garbage = 's.sendall(bytes([1, 0, 0, 0, 0, 0, 0, 0xf1, 65])); s.sendall(b"garbage!")'

    test('ends the stream behind the frames that were good', async () => {
      const stream = pythonPeer(garbage, { readiness })
      const frames = stream[Symbol.asyncIterator]()
      const [good] = await take(frames, 1)
      expect(text(good!.payload)).toBe('A')
      await expect(frames.next()).rejects.toMatchObject({
        constructor: ProtocolError,
        code: 'ERR_PILLION_PROTOCOL',
        origin: 'remote',
        position: 9,
      })
      expect(stream.destroyed).toBe(true)
      expect(() => stream.send(Buffer.from('x'))).toThrow(ClosedError)
    })

    test('is told by event, once, and to whoever waits', async () => {
      const stream = pythonPeer(garbage, { readiness })
      const events = emitted(stream)
      const names: string[] = []
      stream.on('frame', ({ payload }) => names.push(text(payload)))
      await expect(stream.closed).rejects.toBeInstanceOf(ProtocolError)
      expect([names, events]).toEqual([['A'], ['error', 'close']])
    })

    test('by ending inside a frame is told from one that ends between two', async () => {
      const stream = pythonPeer('s.sendall(bytes([200, 0, 0, 0, 0, 0, 0, 0xf1, 65]))', { readiness })
      await expect(take(stream, 1)).rejects.toThrow(/ended in a frame, after 9 of 208 bytes/)
    })

    test('waits with its error until the frames ahead have been consumed', async () => {
      const stream = pythonPeer(garbage, { readiness })
      const names: string[] = []
      const events = emitted(stream)
      stream.on('frame', ({ payload }) => names.push(text(payload)))
      stream.pause()
      await turns()
      expect([names, events]).toEqual([[], []])
      stream.resume()
      await expect(stream.closed).rejects.toBeInstanceOf(ProtocolError)
      expect(names).toEqual(['A'])
    })
  })
})

test('`await using` flushes, ends and closes', async () => {
  const [a, b] = streamPair()
  const received = takeAll(b)
  {
    await using stream = a
    for (let i = 0; i < 100; i++) stream.send(pattern(16_000))
  }
  expect(a.destroyed).toBe(true)
  expect(await received).toHaveLength(100)
})

test('a stream whose peer has gone is disposed of without a throw', async () => {
  const [a, b] = streamPair()
  fill(a)
  b.destroy()
  await a[Symbol.asyncDispose]()
  expect(a.destroyed).toBe(true)
})

describe('adopt', () => {
  const adopted = (fd: number | Descriptor): FrameStream => destroyedAfterTest(adopt(fd))

  test('takes a connected socket over, as a Descriptor or a number', async () => {
    const [one, two] = pairUnix()
    binding.disown(one)
    const descriptor = adoptOwned(two)
    const [a, b] = [adopted(one), adopted(descriptor)]
    expect(descriptor.closed).toBe(true)
    a.send(Buffer.from('x'))
    expect(text((await take(b, 1))[0]!.payload)).toBe('x')
  })

  test('refuses what is no connected Unix stream socket, and leaves it to the caller', async () => {
    using file = named('file')
    expect(() => adopt(file)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }))
    const server = createServer().listen(0)
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle
    expect(() => adopt(fd)).toThrow(UsageError)
    expect(() => adopt(-1)).toThrow(UsageError)
    expect(() => adopt(0x7fff_fff0)).toThrow(expect.objectContaining({ code: 'EBADF' }))
    expect(file.closed).toBe(false)
  })

  test('looks at its options first', () => {
    const ends = pairUnix().map(adoptOwned)
    onTestFinished(() => {
      for (const end of ends) end.close()
    })
    expect(() => adopt(ends[0] as Descriptor, { highWaterMark: -1 })).toThrow(UsageError)
    expect(ends[0]?.closed).toBe(false)
  })
})

test('the peer is who the kernel says: here this process', () => {
  const [a] = streamPair()
  expect(a.peer).toMatchObject({ pid: process.pid, uid: process.geteuid?.(), gid: process.getegid?.() })
  expect(a.peer).toBe(a.peer)
  expect(a.peer.groups.length).toBeGreaterThanOrEqual(0)
  using pidfd = a.peer.pidfd()
  expect(pidfd.fd).toBeGreaterThan(0)
})

test('the peer of a closed stream is known, as far as it was asked for before', () => {
  const [a, b] = streamPair()
  const { peer } = a
  a.destroy()
  b.destroy()
  expect(a.peer).toBe(peer)
  expect(peer.pid).toBe(process.pid)
  expect(() => peer.pidfd()).toThrow(ClosedError)
  expect(b.peer.pid).toBe(process.pid)
})

test('stats count both directions, and can be read when it is over', async () => {
  const [a, b] = streamPair()
  expect(a.stats).toEqual({
    received: { bytes: 0, frames: 0, descriptors: 0, systemCalls: 0, lost: 0, pauses: 0 },
    sent: { bytes: 0, frames: 0, descriptors: 0, systemCalls: 0, lost: 0, pauses: 0, refused: 0 },
    pressures: 0,
  })
  a.send(pattern(100))
  a.send(pattern(200), [named(1), named(2)], { transfer: true })
  for (const frame of await take(b, 2)) frame[Symbol.dispose]()
  expect(a.stats.sent).toMatchObject({ bytes: 316, frames: 2, descriptors: 2 })
  expect(a.stats.sent.systemCalls).toBeGreaterThan(0)
  expect(b.stats.received).toMatchObject({ bytes: 316, frames: 2, descriptors: 2, lost: 0 })
  b.destroy()
  expect(b.stats.received.bytes).toBe(316)
})

test('stats count how often sending stopped for a peer that does not receive', async () => {
  const [a, b] = streamPair()
  fill(a)
  expect(a.stats.sent.pauses).toBe(1)
  a.send(pattern(10)) // it waits behind the others, and stops nothing anew
  expect(a.stats.sent.pauses).toBe(1)
  b.onBatch(() => {})
  await a.flush()
  const { pauses } = a.stats.sent
  expect(pauses).toBeGreaterThanOrEqual(1)
  a.send(pattern(10))
  await a.flush()
  expect(a.stats.sent.pauses).toBe(pauses)
  expect(a.stats.pressures).toBe(0)
})

test('stats count the descriptors of a frame that was dropped alone', async (context) => {
  needs(context, { kernel: '6.16' })
  const [a] = streamPair({ acceptDescriptors: false })
  const refused = new Promise((resolve) => a.on('refused', resolve))
  a.send(Buffer.from('x'), [named('x'), named('y')], { transfer: true })
  await refused
  expect(a.stats.sent).toMatchObject({ frames: 1, refused: 1, descriptors: 2, lost: 2 })
})

test.for(['stream', 'seqpacket', 'datagram'] as const)(
  'credentials that a %s socket asks for are no lost descriptors where none are accepted',
  async (type, context) => {
    needs(context, { command: 'python3' })
    const [ours, theirs] = pairUnix(type)
    // As on what a systemd socket with PassCredentials= accepts.
    const script = 'import socket; socket.socket(fileno=3).setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)'
    expect(spawnSync('python3', ['-c', script], { stdio: ['ignore', 'inherit', 'inherit', theirs] }).status).toBe(0)
    const a = destroyedAfterTest(adopt(adoptOwned(ours), { type }))
    const b = destroyedAfterTest(adopt(adoptOwned(theirs), { type, acceptDescriptors: false }))
    a.send(Buffer.from('plain'))
    const [frame] = await take(b, 1)
    expect(frame).toMatchObject({ descriptors: [], lost: 0 })
  },
)
