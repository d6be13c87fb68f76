/** Descriptors that wait to be sent: whose they are meanwhile, and what a frame that is dropped alone takes with it. */
import { closeSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  type FrameStream,
  PermissionError,
  type PillionError,
  ProtocolError,
  type StreamOptions,
  SystemError,
} from '../../src/stream/index.js'
import { needs } from '../support/needs.js'
import { fill, named, namesOf, pattern, pythonPeer, streamPair, take, text, until } from '../support/streams.js'
import { startChild } from '../transport/children/run.js'

const openCount = () => readdirSync('/proc/self/fd').length

test('an idle connection sends the caller’s own descriptors, and duplicates none', async () => {
  const [a, b] = streamPair()
  using one = named('one')
  const before = openCount()
  a.send(Buffer.from('x'), [one])
  expect(openCount()).toBe(before)

  const [frame] = await take(b, 1)
  expect(namesOf(frame!)).toEqual(['one'])
})

test('what waits is a duplicate: the owner may close its own, and the number may come to mean another file', async () => {
  const [a, b] = streamPair()
  const right = named('right')
  const number = right.fd
  const filled = fill(a)
  a.send(Buffer.from('x'), [number])
  right.close()
  using wrong = named('wrong')
  expect(wrong.fd).toBe(number)

  const frames = await take(b, filled + 1)
  expect(namesOf(frames.at(-1)!)).toEqual(['right'])
})

test('no duplicate is left once its frame has gone', async () => {
  const [a, b] = streamPair({ maxDescriptors: 1024 })
  using one = named('one')
  const filled = fill(a)
  const before = openCount()
  a.send(
    Buffer.from('x'),
    Array.from({ length: 300 }, () => one.fd),
  )
  expect(openCount()).toBe(before + 300)

  for (const frame of await take(b, filled + 1)) frame[Symbol.dispose]()
  await a.flush()
  expect(openCount()).toBe(before)
})

test('destroy closes what waits, duplicated or taken over', () => {
  const [a] = streamPair()
  using kept = named('kept')
  fill(a)
  const before = openCount()
  const given = named('given')
  a.send(Buffer.from('x'), [kept.fd, kept.fd])
  a.send(pattern(100_000), [given], { transfer: true })
  expect(openCount()).toBe(before + 3)
  a.destroy()
  expect(openCount()).toBe(before - 1) // and the socket itself
  expect(kept.closed).toBe(false)
})

test('what is in flight is closed by the kernel when both ends go', async () => {
  const [a, b] = streamPair()
  a.send(Buffer.from('x'), [named('in flight')], { transfer: true })
  await a.flush()
  a.destroy()
  b.destroy()
})

/** Until the stream ends, in a frame or between two. */
async function discardAll(stream: FrameStream): Promise<void> {
  try {
    for await (const frame of stream) frame[Symbol.dispose]()
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError)
  }
}

/** A frame whose descriptor was closed behind the stream's back while it waited, between others. */
function refusedBetweenOthers(payload: Uint8Array | readonly Uint8Array[], options: StreamOptions = {}) {
  const [a, b] = streamPair(options)
  const filled = fill(a)
  const last = named('of last')
  // A high number, since a low one would be another file's as soon as anything is opened or received.
  const low = Array.from({ length: 20 }, named)
  const bad = named('bad')
  const number = bad.fd
  for (const descriptor of low) descriptor.close()
  a.send(Buffer.from('ahead'), [named('of ahead')], { transfer: true })
  const gone = a.flush()
  gone.catch(() => {})
  a.send(payload, [bad], { transfer: true })
  closeSync(number)
  a.send(Buffer.from('behind'))
  a.send(Buffer.from('last'), [last], { transfer: true })
  return { a, b, filled, gone }
}

test.each([
  ['a small payload', Buffer.from('bad')],
  ['a large payload', pattern(100_000)],
  ['a payload in chunks, the last of them copied', [pattern(20_000), Buffer.from('bad')]],
])('a closed number fails its frame alone, with %s', async (_name, payload) => {
  const { a, b, filled, gone } = refusedBetweenOthers(payload)
  const refused: PillionError[] = []
  a.on('refused', (error) => refused.push(error))
  const frames = (await take(b, filled + 3)).slice(filled)

  expect(frames.map((frame) => [text(frame.payload), namesOf(frame)])).toEqual([
    ['ahead', ['of ahead']],
    ['behind', []],
    ['last', ['of last']],
  ])
  expect(refused).toEqual([expect.any(SystemError)])
  expect(refused[0]).toMatchObject({ code: 'EBADF', syscall: 'sendmsg' })
  expect(a.stats.sent.refused).toBe(1)
  await gone // what was ahead of it has been flushed all the same
})

test('flush tells of a frame that was refused, and end does its work in spite of it', async () => {
  const { a, b, filled, gone } = refusedBetweenOthers(Buffer.from('bad'))
  const flushed = expect(a.flush()).rejects.toMatchObject({ code: 'EBADF' })
  const ended = a.end()
  for (const frame of await take(b, filled + 3)) frame[Symbol.dispose]()
  await Promise.all([gone, flushed, ended])
})

test('a listener of `refused` may send, also with descriptors', async () => {
  const { a, b, filled } = refusedBetweenOthers(Buffer.from('bad'))
  using one = named('one')
  a.on('refused', () => a.send(Buffer.from('instead'), [one]))
  const frames = (await take(b, filled + 4)).slice(filled)
  expect(frames.map((frame) => [text(frame.payload), namesOf(frame)])).toEqual([
    ['ahead', ['of ahead']],
    ['behind', []],
    ['last', ['of last']],
    ['instead', ['one']],
  ])
})

test('a listener of `refused` may destroy', async () => {
  const { a, b } = refusedBetweenOthers(Buffer.from('bad'))
  a.on('refused', () => a.destroy())
  await discardAll(b)
  expect(a.destroyed).toBe(true)
})

test.each(['destroy', 'send'])('a listener of `drain` may %s while a frame is refused', async (act) => {
  // All that is queued behind the refused frame is below this mark: its refusal and `drain` fall together.
  const { a, b } = refusedBetweenOthers(Buffer.from('bad'), { highWaterMark: 4_000 })
  using one = named('one')
  const seen: string[] = []
  a.on('refused', () => seen.push('refused'))
  a.on('drain', () => {
    if (seen.push('drain') > 2) return
    if (act === 'destroy') a.destroy()
    else a.send(Buffer.from('more'), [one])
    void a.end()
  })
  const names: string[] = []
  try {
    for await (const frame of b) {
      if (frame.payload.length < 10) names.push(text(frame.payload))
      frame[Symbol.dispose]()
    }
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError) // destroyed in the midst of a frame
  }
  if (act === 'destroy') expect([seen, a.destroyed]).toEqual([['drain'], true])
  else
    expect([seen.sort(), names]).toEqual([
      ['drain', 'refused'],
      ['ahead', 'behind', 'last', 'more'],
    ])
})

test('a listener of `drain` may send while `send` finds that the peer refuses descriptors', async (context) => {
  needs(context, { kernel: '6.16' })
  const [a, b] = streamPair({ acceptDescriptors: false, highWaterMark: 10 })
  using one = named('one')
  const thrown: unknown[] = []
  a.on('drain', () => {
    try {
      a.send(Buffer.from('y'), [one])
    } catch (error) {
      thrown.push(error)
    }
  })
  a.send(Buffer.from('first'))
  expect(a.send(Buffer.from('second, gathered'))).toBe(false)
  expect(() => a.send(Buffer.from('x'), [one])).toThrow(PermissionError)
  expect(thrown).toEqual([]) // not from within `send`
  expect((await take(b, 2)).map(({ payload }) => text(payload))).toEqual(['first', 'second, gathered'])
  expect(thrown).toEqual([expect.any(PermissionError)])
})

test('a peer that refuses descriptors (SO_PASSRIGHTS) is told of at send: that frame fails, others go', async (context) => {
  needs(context, { kernel: '6.16' })
  const [a, b] = streamPair({ acceptDescriptors: false })
  using one = named('one')
  const permission = expect.objectContaining({
    constructor: PermissionError,
    code: 'ERR_PILLION_PERMISSION',
    syscall: 'sendmsg',
    errno: -1,
  })
  a.send(Buffer.from('ahead'))
  expect(() => a.send(Buffer.from('x'), [one])).toThrow(permission)
  a.send(Buffer.from('behind'))

  const frames = await take(b, 2)
  expect(frames.map(({ payload }) => text(payload))).toEqual(['ahead', 'behind'])
  expect(a.stats.sent).toMatchObject({ frames: 2, descriptors: 0, refused: 0 })
})

test.for(['gathered with others', 'sent at once'])(
  'what the peer refuses of a frame with transfer is always told by event: %s',
  async (when, context) => {
    needs(context, { kernel: '6.16' })
    const [a] = streamPair({ acceptDescriptors: false })
    const given = named('given')
    const errors: PillionError[] = []
    a.on('refused', (error) => errors.push(error))
    if (when === 'gathered with others') a.send(Buffer.from('ahead'))
    expect(a.send(Buffer.from('x'), [given], { transfer: true })).toBe(true)
    expect([given.closed, errors.length]).toEqual([true, 0])
    await until(() => errors.length > 0)
    expect(errors).toEqual([expect.any(PermissionError)])
  },
)

test('a frame that waits and is refused by the peer then is told of by event', async (context) => {
  needs(context, { kernel: '6.16' })
  const [a, b] = streamPair({ acceptDescriptors: false })
  using one = named('one')
  const filled = fill(a)
  a.send(Buffer.from('refused'), [one])
  a.send(Buffer.from('behind'))
  const errors: PillionError[] = []
  a.on('refused', (error) => errors.push(error))

  const frames = await take(b, filled + 1)
  expect(text(frames.at(-1)!.payload)).toBe('behind')
  expect(errors).toEqual([expect.any(PermissionError)])
})

test('a peer of another kind that clears SO_PASSRIGHTS is understood as well', async (context) => {
  needs(context, { kernel: '6.16' }, { command: 'python3' })
  const stream = pythonPeer(`
s.setsockopt(socket.SOL_SOCKET, 83, 0) # SO_PASSRIGHTS
s.sendall(bytes([0, 0, 0, 0, 0, 0, 0, 0xf1]))
while data := s.recv(100): s.sendall(data)
`)
  const frames = stream[Symbol.asyncIterator]()
  await take(frames, 1)

  using one = named('one')
  expect(() => stream.send(Buffer.from('x'), [one])).toThrow(PermissionError)
  stream.send(Buffer.from('echo'))
  const [echo] = await take(frames, 1)
  expect(text(echo!.payload)).toBe('echo')
})

test('a duplicate that cannot be made fails that frame alone, and nobody waits longer or shorter for it', async () => {
  const [a, b] = streamPair()
  const filled = fill(a)
  using one = named('one')
  const flushed = a.flush()
  expect(() => a.send(Buffer.from('x'), [one, 0x7fff_fff0])).toThrow(SystemError)
  expect(() => a.send([pattern(20_000), Buffer.from('y')], [one, 0x7fff_fff0])).toThrow(SystemError)
  let settled = false
  void flushed.then(() => {
    settled = true
  })
  const frames = b[Symbol.asyncIterator]()
  await take(frames, 1)
  expect(settled).toBe(false)
  a.send(Buffer.from('behind'))
  const rest = await take(frames, filled)
  expect(text(rest.at(-1)!.payload)).toBe('behind')
  await until(() => settled, 'the flush')
  await a.flush()
})

test('a frame that can neither go as a whole nor wait ends the stream only if a part of it has gone', async () => {
  const child = startChild('../../stream/children/half-a-frame.ts', [], { limit: 64 })
  const tries = await child.answer()
  expect(await child.end()).toBe(0)
  const ended = ['EMFILE', false]
  const livesOn = ['EMFILE', true, 2]
  expect(tries).toContainEqual([...ended, null])
  expect(tries).toContainEqual(livesOn)
  for (const each of tries as unknown[][]) {
    expect([[null, true, null], [...ended, null], livesOn]).toContainEqual(each)
  }
})
