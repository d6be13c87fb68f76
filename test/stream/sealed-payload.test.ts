/** `memfdFrom`: large payloads travel in a sealed memfd; only memory that nobody can take back is mapped. */
import { describe, expect, test } from 'vitest'
import {
  FrameTooLargeError,
  ProtocolError,
  type StreamOptions,
  TooManyDescriptorsError,
} from '../../src/stream/index.js'
import { needs } from '../support/needs.js'
import {
  fill,
  named,
  namesOf,
  pattern,
  pythonPeer,
  readinesses,
  same,
  streamPair,
  take,
  text,
} from '../support/streams.js'
import { startChild } from '../transport/children/run.js'

describe.each(readinesses)('with readiness %s', (readiness) => {
  test('payloads of every size from the threshold on arrive by memory, those below through the socket', async () => {
    const [a, b] = streamPair({ readiness, memfdFrom: 10_000 })
    const sizes = [0, 9_999, 10_000, 10_001, 16_384, 300_000, 16 * 1024 * 1024]
    const received = take(b, sizes.length)
    for (const size of sizes) a.send(pattern(size, size))
    const frames = await received
    for (const [i, size] of sizes.entries()) expect(same(frames[i]!.payload, pattern(size, size))).toBe(true)
    expect(frames.every(({ descriptors, lost }) => descriptors.length === 0 && lost === 0)).toBe(true)
    // Five of them took a header and a length, however long they were.
    expect(a.stats.sent.bytes).toBe(8 + (8 + 9_999) + 5 * 16)
    expect(b.stats.received.descriptors).toBe(5)
  })

  test.each([0, 3, 7])(
    'a payload limit of %i bytes bounds the payload, not the length that stands for it',
    async (limit) => {
      const [a, b] = streamPair({ readiness, memfdFrom: 1, maxPayload: limit })
      a.send(pattern(limit, 1))
      const [frame] = await take(b, 1)
      expect(same(frame!.payload, pattern(limit, 1))).toBe(true)
      expect(() => a.send(pattern(limit + 1))).toThrow(FrameTooLargeError)
    },
  )

  test('their own descriptors come with them, duplicated or taken over', async () => {
    const [a, b] = streamPair({ readiness, memfdFrom: 1, maxDescriptors: 1024 })
    using kept = named('kept')
    const given = named('given')
    a.send(Buffer.from('one'), [kept])
    a.send([Buffer.from('t'), Buffer.from('wo')], [given], { transfer: true })
    a.send(
      Buffer.from('many'),
      Array.from({ length: 600 }, (_, i) => named(i)),
      { transfer: true },
    )
    const frames = await take(b, 3)
    expect(frames.map(({ payload }) => text(payload))).toEqual(['one', 'two', 'many'])
    expect(frames.map((frame) => namesOf(frame).length)).toEqual([1, 1, 600])
    expect(given.closed).toBe(true)
  })

  test('what waits is all there when it goes, and is closed when the stream goes first', async () => {
    const [a, b] = streamPair({ readiness, memfdFrom: 50_000 })
    const filled = fill(a)
    a.send(pattern(100_000, 1), [named('waits')], { transfer: true })
    const frames = await take(b, filled + 1)
    expect(same(frames.at(-1)!.payload, pattern(100_000, 1))).toBe(true)
    expect(namesOf(frames.at(-1)!)).toEqual(['waits'])

    const [c] = streamPair({ readiness, memfdFrom: 50_000 })
    fill(c)
    c.send(pattern(100_000, 1), [named('waits')], { transfer: true })
    c.destroy()
  })

  test('batches hold them as frames of their own', async () => {
    const [a, b] = streamPair({ readiness, memfdFrom: 3 })
    const seen: unknown[] = []
    const all = new Promise<void>((resolve) => {
      b.onBatch((batch) => {
        for (let i = 0; i < batch.length; i++) {
          seen.push(text(batch.bytes.subarray(batch.start(i), batch.end(i))), batch.descriptors(i).length)
        }
        if (seen.length === 10) resolve()
      })
    })
    for (const payload of ['a', 'bbb', 'c', 'ddd', 'eee']) a.send(Buffer.from(payload), [named(1)], { transfer: true })
    await all
    expect(seen).toEqual(['a', 1, 'bbb', 1, 'c', 1, 'ddd', 1, 'eee', 1])
  })

  test('what is written to a received payload stays in this process', async () => {
    const [a, b] = streamPair({ readiness, memfdFrom: 1 })
    a.send(Buffer.from('mine'))
    const [frame] = await take(b, 1)
    frame!.payload.fill(0)
    expect(frame!.payload.every((byte) => byte === 0)).toBe(true)
  })
})

test('the memfd takes a descriptor’s place: a frame that has none left is refused', () => {
  const [a] = streamPair({ memfdFrom: 1, maxDescriptors: 1 })
  using one = named('one')
  a.send(Buffer.from('x'))
  expect(() => a.send(Buffer.from('x'), [one])).toThrow(TooManyDescriptorsError)
  expect(() => a.send(Buffer.from('x'), [one], { transfer: true })).toThrow(TooManyDescriptorsError)
  expect(one.closed).toBe(false)
})

test('a payload over the limit is refused before any memory is made', () => {
  const [a] = streamPair({ memfdFrom: 1, maxPayload: 100 })
  expect(() => a.send(pattern(101))).toThrow(FrameTooLargeError)
})

test('a peer that refuses descriptors refuses them as well', async (context) => {
  needs(context, { kernel: '6.16' })
  const [a] = streamPair({ memfdFrom: 10, acceptDescriptors: false })
  a.send(Buffer.from('small'))
  expect(() => a.send(pattern(10))).toThrow(expect.objectContaining({ code: 'ERR_PILLION_PERMISSION' }))
})

test('a memfd for which the table has no place is lost with its payload, and the stream goes on', async () => {
  const child = startChild('../../stream/children/lost-payload.ts', [], { limit: 64 })
  const plain = [10, 0, 0]
  expect(await child.answer()).toEqual([[0, 0, 2], plain, [0, 1, 1], plain, [1000, 1, 0], plain])
  expect(await child.end()).toBe(0)
})

describe('a peer’s memory', () => {
  /** The first frames of a peer that sends `content` as a memfd of `length` bytes, prepared by a line of Python. */
  function sentAs(prepare: string, length: number | bigint, options?: StreamOptions) {
    const peer = `
import fcntl
fd = os.memfd_create('x', os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
os.write(fd, b'content')
F_ADD_SEALS, SEAL, SHRINK, GROW, WRITE = 1033, 1, 2, 4, 8
def seal(seals): fcntl.fcntl(fd, F_ADD_SEALS, seals)
fds = [fd]
${prepare}
header = bytes([8, 0, 0, 0, len(fds), 0, 1, 0xf1]) + (${length}).to_bytes(8, 'little')
socket.send_fds(s, [bytes([0, 0, 0, 0, 0, 0, 0, 0xf1]) + header], fds)
s.recv(1)
`
    return pythonPeer(peer, options)
  }

  test('sealed as it should be, it is taken, whoever made it', async () => {
    const [, frame] = await take(sentAs('seal(SEAL | SHRINK | WRITE)', 7), 2)
    expect(text(frame!.payload)).toBe('content')
  })

  test('may be longer than what is announced of it', async () => {
    const [, frame] = await take(sentAs('seal(SHRINK | WRITE)', 3), 2)
    expect(text(frame!.payload)).toBe('con')
  })

  test('may be of huge pages, of which there need not be any', async () => {
    const huge = 'fd = os.memfd_create("x", os.MFD_ALLOW_SEALING | os.MFD_HUGETLB)'
    const prepare = `${huge}\nos.ftruncate(fd, 2097152)\nseal(SHRINK | WRITE)\nfds = [fd]`
    const [, frame] = await take(sentAs(prepare, 5), 2)
    expect(same(frame!.payload, new Uint8Array(5))).toBe(true)
  })

  test('may be empty', async () => {
    const [, frame] = await take(sentAs('seal(SHRINK | WRITE)', 0), 2)
    expect(frame!.payload.length).toBe(0)
  })

  test.each([
    ['not sealed at all', '', 7, ProtocolError],
    ['sealed against shrinking alone: it could be changed', 'seal(SHRINK)', 7, ProtocolError],
    ['sealed against writing alone: it could be shrunk', 'seal(WRITE)', 7, ProtocolError],
    ['shorter than announced', 'seal(SHRINK | WRITE)', 8, ProtocolError],
    ['longer than the limit', 'seal(SHRINK | WRITE)', 16 * 1024 * 1024 + 1, FrameTooLargeError],
    ['of an absurd length', 'seal(SHRINK | WRITE)', 2n ** 64n - 1n, FrameTooLargeError],
    ['a pipe', 'fds = [os.pipe()[0]]', 7, ProtocolError],
    ['a file', "fds = [os.open('/etc/hostname', os.O_RDONLY)]", 1, ProtocolError],
    [
      'opened for writing alone',
      "seal(SHRINK | WRITE); fds = [os.open('/proc/self/fd/%d' % fd, os.O_WRONLY)]",
      7,
      ProtocolError,
    ],
    ['opened as a path', "seal(SHRINK | WRITE); fds = [os.open('/proc/self/fd/%d' % fd, os.O_PATH)]", 7, ProtocolError],
    ['a directory', "fds = [os.open('/', os.O_RDONLY)]", 1, ProtocolError],
  ])('%s: the stream ends, behind the frames before', async (_name, prepare, length, kind) => {
    const stream = sentAs(prepare, length)
    const frames = stream[Symbol.asyncIterator]()
    await take(frames, 1)
    await expect(frames.next()).rejects.toBeInstanceOf(kind)
    await expect(stream.closed).rejects.toMatchObject({ origin: 'remote' })
  })

  test.each(['frame', 'onBatch'])('that is bad ends the stream for `%s` as well', async (way) => {
    const stream = sentAs('fds = [fd, fd]', 7)
    let count = 0
    if (way === 'frame') stream.on('frame', () => count++)
    else
      stream.onBatch((batch) => {
        count += batch.length
      })
    await expect(stream.closed).rejects.toBeInstanceOf(ProtocolError)
    expect(count).toBe(1)
  })
})
