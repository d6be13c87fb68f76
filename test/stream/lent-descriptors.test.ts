/** Descriptors that are only lent to `send`, and wait for the end of the tick, or for the peer, without a duplicate. */
import { closeSync, existsSync, fstatSync, readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ClosedError,
  Descriptor,
  type FrameStream,
  type PillionError,
  type StreamOptions,
} from '../../src/stream/index.js'
import { adoptSocket } from '../../src/transport/adopt-socket.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import {
  closeDescriptors,
  Mailbox,
  offerDescriptor,
  pairUnix,
  recallDescriptor,
  takeOffered,
} from '../../src/transport/index.js'
import { numbersLeft } from '../../src/transport/loan.js'
import { fill, named, nameOf, namesOf, streamPair, take, text, turns, until } from '../support/streams.js'
import { startChild } from '../transport/children/run.js'

const openCount = () => readdirSync('/proc/self/fd').length
const isOpen = (fd: number) => existsSync(`/proc/self/fd/${fd}`)

/** A pair over which a descriptor has gone: what is lent in the rest of this tick is gathered. */
async function gatheringPair(options: StreamOptions = {}): Promise<[FrameStream, FrameStream]> {
  const [a, b] = streamPair(options)
  using first = named('first')
  a.send(Buffer.from('first'), [first])
  await a.flush()
  a.send(Buffer.from('second'))
  return [a, b]
}

/** What arrives behind the two frames of `gatheringPair`. */
async function arrived(b: FrameStream, count: number): Promise<[string, string[]][]> {
  const frames = await take(b, 2 + count)
  const behind = frames.splice(2)
  for (const frame of frames) frame[Symbol.dispose]()
  return behind.map((frame) => [text(frame.payload), namesOf(frame)])
}

const types = ['stream', 'seqpacket'] as const

describe.each(types)('over a %s socket', (type) => {
  test('frames that lend Descriptors go together at the end of the tick, each with its own', async () => {
    const [a, b] = await gatheringPair({ type })
    using one = named('one')
    using two = named('two')
    const { systemCalls } = a.stats.sent
    const before = openCount()
    a.send(Buffer.from('1'), [one])
    a.send(Buffer.from('2'), [two, one])
    a.send(Buffer.from('3'))
    a.send(Buffer.from('4'), [one, one])
    expect([a.stats.sent.systemCalls, openCount()]).toEqual([systemCalls, before])
    await a.flush()
    expect(a.stats.sent.systemCalls).toBe(systemCalls + 1)
    expect(await arrived(b, 4)).toEqual([
      ['1', ['one']],
      ['2', ['two', 'one']],
      ['3', []],
      ['4', ['one', 'one']],
    ])
  })

  test('one that is closed while frames wait with it is closed when the last of them has gone', async () => {
    const [a, b] = await gatheringPair({ type })
    const one = named('one')
    const { fd } = one
    a.send(Buffer.from('1'), [one])
    a.send(Buffer.from('2'), [one, one])
    one.close()
    one.close()
    expect([one.closed, isOpen(fd), numbersLeft()]).toEqual([true, true, 1])
    expect(() => one.fd).toThrow(ClosedError)
    expect(() => a.send(Buffer.from('3'), [one])).toThrow(ClosedError)
    await a.flush()
    expect([isOpen(fd), numbersLeft()]).toEqual([false, 0])
    expect(await arrived(b, 2)).toEqual([
      ['1', ['one']],
      ['2', ['one', 'one']],
    ])
  })

  test('under back-pressure none is duplicated, and its number is nobody else’s before it has gone', async () => {
    const [a, b] = streamPair({ type })
    const right = named('right')
    const number = right.fd
    const filled = fill(a)
    const before = openCount()
    a.send(Buffer.from('x'), [right])
    right.close()
    expect(openCount()).toBe(before)
    using wrong = named('wrong')
    expect(wrong.fd).not.toBe(number)
    const frames = await take(b, filled + 1)
    expect(namesOf(frames.at(-1)!)).toEqual(['right'])
    await until(() => !isOpen(number))
  })

  test('one that is taken while frames wait with it leaves them a duplicate, one for all', async () => {
    const [a, b] = streamPair({ type })
    const [c, d] = streamPair({ type })
    const right = named('right')
    const filled = [fill(a), fill(c)]
    a.send(Buffer.from('1'), [right])
    a.send(Buffer.from('2'), [right, right])
    c.send(Buffer.from('3'), [right])
    const before = openCount()
    const number = right.take()
    expect(openCount()).toBe(before + 1)
    closeSync(number)
    using wrong = named('wrong')
    expect(wrong.fd).toBe(number)

    const ofA = (await take(b, filled[0]! + 2)).slice(filled[0])
    expect(ofA.map(namesOf)).toEqual([['right'], ['right', 'right']])
    const ofC = (await take(d, filled[1]! + 1)).slice(filled[1])
    expect(ofC.map(namesOf)).toEqual([['right']])
    await Promise.all([a.flush(), c.flush()])
    expect([openCount(), numbersLeft()]).toEqual([before, 0]) // `wrong` in the place of `right`
  })

  test('destroy gives back what waits: what is closed goes, what is open stays its owner’s', () => {
    const [a] = streamPair({ type })
    using kept = named('kept')
    const gone = named('gone')
    fill(a)
    a.send(Buffer.from('x'), [kept, gone])
    gone.close()
    const before = openCount()
    a.destroy()
    expect([openCount(), numbersLeft(), kept.closed]).toEqual([before - 2, 0, false]) // the socket, too
    kept.close()
    expect([openCount(), numbersLeft()]).toEqual([before - 3, 0])
  })
})

test('the collector does not find a Descriptor while a frame waits with it', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const [a, b] = streamPair()
  const filled = fill(a)
  const lent = (() => {
    const descriptor = named('forgotten')
    a.send(Buffer.from('x'), [descriptor])
    return new WeakRef(descriptor)
  })()
  await turns()
  collect()
  await turns()
  expect(lent.deref()).toBeInstanceOf(Descriptor)
  lent.deref()!.close()
  const frames = await take(b, filled + 1)
  expect(namesOf(frames.at(-1)!)).toEqual(['forgotten'])
})

test('sets of one frame are lent as well, and closed in their turn', async () => {
  const [a, b] = streamPair({ maxDescriptors: 1024 })
  const filled = fill(a)
  const many = Array.from({ length: 600 }, (_, i) => named(i))
  a.send(Buffer.from('many'), many)
  for (const descriptor of many) descriptor.close()
  const frames = await take(b, filled + 1)
  expect(namesOf(frames.at(-1)!)).toEqual(many.map((_, i) => String(i)))
  await a.flush()
  expect(numbersLeft()).toBe(0)
})

test('what is lent and then transferred, to the same stream or another, arrives by both', async () => {
  const [a, b] = await gatheringPair()
  const [c, d] = await gatheringPair()
  const one = named('one')
  const two = named('two')
  a.send(Buffer.from('1'), [one, two])
  a.send(Buffer.from('2'), [one], { transfer: true })
  c.send(Buffer.from('3'), [two], { transfer: true })
  expect([one.closed, two.closed]).toEqual([true, true])
  expect(await arrived(b, 2)).toEqual([
    ['1', ['one', 'two']],
    ['2', ['one']],
  ])
  expect(await arrived(d, 1)).toEqual([['3', ['two']]])
  await Promise.all([a.flush(), c.flush()])
  expect(numbersLeft()).toBe(0)
})

test('numbers, and a Descriptor beside a number, are sent at once as ever', async () => {
  const [a, b] = await gatheringPair()
  const one = named('one')
  const two = named('two')
  a.send(Buffer.from('1'), [one])
  a.send(Buffer.from('2'), [one.fd, two])
  expect(a.queuedBytes).toBe(0)
  const numbers = [one.fd, two.fd]
  for (const descriptor of [one, two]) descriptor.close()
  expect(numbers.map(isOpen)).toEqual([false, false])
  expect(await arrived(b, 2)).toEqual([
    ['1', ['one']],
    ['2', ['one', 'two']],
  ])
})

test('a closed one does not keep a place of the table for long: 64 at most wait for the end of a tick', async () => {
  const pairs = await Promise.all(Array.from({ length: 4 }, () => gatheringPair()))
  const before = openCount()
  for (let i = 0; i < 200; i++) {
    const one = named(i)
    pairs[i % 4]![0].send(Buffer.from(String(i)), [one])
    one.close()
    expect(openCount()).toBeLessThanOrEqual(before + 64)
  }
  for (const [i, [, b]] of pairs.entries()) {
    const expected = Array.from({ length: 50 }, (_, k) => String(4 * k + i))
    expect(await arrived(b, 50)).toEqual(expected.map((name) => [name, [name]]))
  }
})

test('gathering alone does not bring `send` over the mark', async () => {
  const [a, b] = await gatheringPair({ highWaterMark: 3_000 })
  using one = named('one')
  const below = Array.from({ length: 20 }, () => a.send(Buffer.from('x'), [one]))
  expect(below).not.toContain(false)
  expect(await arrived(b, 20)).toHaveLength(20)
})

test('once descriptors were taken, a refusal comes by event; what is lent next goes at once, and throws', async () => {
  const [a, b] = await gatheringPair()
  const bad = named('bad')
  const errors: PillionError[] = []
  a.on('refused', (error) => errors.push(error))
  a.send(Buffer.from('1'), [bad])
  closeSync(bad.fd) // behind its back
  a.send(Buffer.from('2'))
  await until(() => errors.length > 0)
  expect(errors).toEqual([expect.objectContaining({ code: 'EBADF', syscall: 'sendmsg' })])
  a.send(Buffer.from('3'))
  expect(() => a.send(Buffer.from('4'), [bad])).toThrow(expect.objectContaining({ code: 'EBADF' }))
  bad.take()
  expect(await arrived(b, 2)).toEqual([
    ['2', []],
    ['3', []],
  ])
})

describe('what ends an ownership while frames wait', () => {
  test.each<[string, (socket: Descriptor) => () => void]>([
    [
      'adopted as a socket',
      (socket) => {
        const { fd } = adoptSocket(socket, 'connected')
        return () => closeDescriptors([fd])
      },
    ],
    [
      'offered to another thread',
      (socket) => {
        const mailbox = new Mailbox()
        const id = offerDescriptor(socket, mailbox.id)
        return () => {
          takeOffered(id).close()
          mailbox.close()
        }
      },
    ],
    [
      'recalled, and still its owner’s',
      (socket) => {
        recallDescriptor(socket)
        recallDescriptor(socket)
        expect(socket.closed).toBe(false)
        return () => socket.close()
      },
    ],
  ])('%s', async (_name, giveAway) => {
    const [a, b] = await gatheringPair()
    const [mine, theirs] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
    const { ino } = fstatSync(mine.fd)
    a.send(Buffer.from('1'), [mine])
    const before = openCount()
    const end = giveAway(mine)
    expect(openCount()).toBe(before + 1)
    end()
    theirs.close()
    const frames = await take(b, 3)
    expect(frames.at(-1)!.descriptors.map(({ fd }) => fstatSync(fd).ino)).toEqual([ino])
    for (const frame of frames) frame[Symbol.dispose]()
    await a.flush()
    expect(numbersLeft()).toBe(0)
  })
})

test('with a full table nothing is lost: what cannot be taken stays its owner’s, what can be sent need not wait', async () => {
  const child = startChild('../../stream/children/lent-in-a-full-table.ts', [], { limit: 64 })
  expect(await child.answer()).toEqual({ closed: 'right', taken: 'right' })
  expect(await child.answer()).toEqual({ code: 'EMFILE', open: true, arrived: ['right', 'right'] })
  expect(await child.end()).toBe(0)
})

describe('random programs', () => {
  type Step = readonly [act: number, which: number, stream: number]
  const steps = fc.array(fc.tuple(fc.nat(9), fc.nat(7), fc.nat(2)), { maxLength: 120 })

  test('each frame’s descriptors are the right files, and none is left', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (program) => {
        const before = openCount()
        await run(program)
        await until(() => openCount() === before, 'the number of open descriptors')
        expect(numbersLeft()).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  async function run(program: readonly Step[]): Promise<void> {
    const pairs = [0, 1, 2].map(() => streamPair({ sendBuffer: 1, highWaterMark: 64 * 1024 }))
    const live: { name: string; descriptor: Descriptor }[] = []
    const sent: [string, string[]][][] = pairs.map(() => [])
    const received: [string, string[]][][] = pairs.map(() => [])
    const reading = pairs.map(async ([, b], i) => {
      for await (const frame of b) received[i]!.push([text(frame.payload.subarray(0, 8)), namesOf(frame)])
    })
    let made = 0
    for (const [act, which, stream] of program) {
      if (live.length < 8) live.push({ name: `d${made}`, descriptor: named(`d${made++}`) })
      const at = which % live.length
      const { name, descriptor } = live[at]!
      const other = live[(at + act) % live.length]!
      const [a] = pairs[stream]!
      const log = sent[stream]!
      const label = `f${log.length}`.padEnd(8)
      const ends = () => void live.splice(at, 1)
      if (act < 3) {
        const given = act === 0 ? [descriptor] : [descriptor, other.descriptor]
        a.send(Buffer.from(label), given)
        log.push([label, act === 0 ? [name] : [name, other.name]])
      } else if (act === 3) {
        a.send(Buffer.concat([Buffer.from(label), Buffer.alloc(20_000)]), [descriptor])
        log.push([label, [name]])
      } else if (act === 4) {
        a.send(Buffer.from(label), [descriptor], { transfer: true })
        log.push([label, [name]])
        ends()
      } else if (act === 5) {
        descriptor.close()
        ends()
      } else if (act === 6) {
        const number = descriptor.take()
        expect(nameOf(number)).toBe(name)
        closeSync(number)
        ends()
      } else if (act === 7) {
        a.send(Buffer.from(label), [descriptor.fd, other.descriptor])
        log.push([label, [name, other.name]])
      } else if (act === 8) {
        recallDescriptor(descriptor)
      } else {
        await new Promise(setImmediate)
      }
    }
    for (const { descriptor } of live) descriptor.close()
    await Promise.all(pairs.map(([a]) => a.end()))
    await Promise.all(reading)
    expect(received).toEqual(sent)
    for (const ends of pairs) for (const end of ends) end.destroy()
  }
})
