/** What the kernel's readiness tells and does not tell: nothing that was sent may be waited for in vain. */
import { describe, expect, it } from 'vitest'
import { SystemError } from '../../src/errors.js'
import { closeDescriptors, pairUnix, type Received } from '../../src/transport/index.js'
import { binding } from '../../src/transport/native.js'
import {
  openEdgeSet,
  readinesses,
  sendBearing,
  sendPlain,
  turns,
  until,
  watched,
  watchedPair,
} from './native-sockets.js'

openEdgeSet()

describe.each(readinesses)('by %s readiness', (readiness) => {
  it('a reset connection gives what was sent before, and then the error', async () => {
    const [mine, theirs] = watchedPair({ readiness })
    sendPlain(mine.socket, 'never read')
    sendPlain(theirs.socket, 'hello')
    theirs.socket.close() // with unread input: the kernel marks our end with ECONNRESET, and libuv stops its poll
    mine.socket.resume()
    await until(() => mine.seen.receiveError !== undefined, 'the error')
    expect(mine.seen.text).toBe('hello')
    expect(mine.seen.receiveError).toMatchObject({ code: 'ECONNRESET' })
  })

  it('a reset connection that is only written to fails at the next write', async () => {
    const [mine, theirs] = watchedPair({ readiness })
    sendPlain(mine.socket, new Uint8Array(4 << 20))
    expect(mine.socket.sendBlocked).toBe(true)
    theirs.socket.close()
    await until(() => mine.seen.sendError !== undefined, 'the error')
    expect(mine.seen.sendError).toMatchObject({ code: 'EPIPE' })
  })

  it('what comes while receiving is paused is there after resume', async () => {
    const [mine, theirs] = watchedPair({ readiness })
    mine.socket.resume()
    await turns()
    mine.socket.pause()
    sendPlain(theirs.socket, 'a')
    await turns()
    sendPlain(theirs.socket, 'b')
    theirs.socket.close()
    await turns()
    expect(mine.seen.text).toBe('')
    mine.socket.resume()
    await until(() => mine.seen.ended, 'the end')
    expect(mine.seen.text).toBe('ab')
  })

  it('what a wake-up leaves behind its pause comes after resume', async () => {
    let first = true
    const [mine, theirs] = watchedPair(
      { readiness },
      {
        onDeliver: () => {
          if (first) mine.socket.pause()
          first = false
        },
      },
    )
    // More than a slab, so that the first call cannot have it all; the sender goes on as it drains.
    theirs.socket.queue.pushPlain(new Uint8Array(3 << 20), 0, 3 << 20, 0)
    theirs.socket.flush()
    mine.socket.resume()
    await until(() => !first, 'the first wake-up')
    await turns()
    expect(mine.seen.bytes).toBeLessThan(3 << 20)
    mine.socket.resume()
    await until(() => mine.seen.bytes === 3 << 20, 'the rest')
  })

  it('more sets than one call can hand over all come, in order', async () => {
    const [mine, theirs] = watchedPair({ readiness })
    const total = 60 // some 15 full sets fill the table of one call
    using memfd = { fd: binding.memfd('set', 0, 0), [Symbol.dispose]: () => binding.closeFd(memfd.fd) }
    const fds = Array.from({ length: 20 }, () => memfd.fd)
    for (let i = 0; i < total; i++) sendBearing(theirs.socket, 'x', fds, i + 1)
    mine.socket.resume()
    await until(() => mine.seen.sets === total, 'all sets')
    expect(mine.seen.text).toBe('x'.repeat(total))
  })

  it('each recvmsg is told of, if that is asked for, and not counted as a set', async () => {
    const told: (readonly [end: number, descriptors: number])[] = []
    const onReceived = ({ start, end, sets }: Received): number => {
      for (const { end: at, fds } of sets) told.push([at, fds.length])
      for (const { fds } of sets) closeDescriptors(fds)
      return end - start
    }
    const [mine, theirs] = watchedPair({ readiness }, { onReceived })
    using memfd = { fd: binding.memfd('set', 0, 0), [Symbol.dispose]: () => binding.closeFd(memfd.fd) }
    mine.socket.tellReceives()
    sendPlain(theirs.socket, 'plain')
    sendBearing(theirs.socket, 'bearing', [memfd.fd])
    sendPlain(theirs.socket, 'behind')
    mine.socket.resume()
    await until(() => told.length === 2, 'two')
    sendPlain(theirs.socket, 'later')
    await until(() => told.length === 3, 'the third')

    expect(told).toEqual([
      [12, 1], // from the set's send the kernel goes back as far as it can, and no further
      [18, 0],
      [23, 0],
    ])
    expect(mine.socket.stats.setsReceived).toBe(1)
  })

  it('more receives than one call can tell of all are, in order', async () => {
    const ends: number[] = []
    const onReceived = ({ start, end, sets }: Received): number => {
      ends.push(...sets.map((set) => set.end))
      return end - start
    }
    const [mine, theirs] = watchedPair({ readiness, descriptorHeadroom: 0 }, { onReceived })
    mine.socket.tellReceives()
    mine.socket.resume()
    for (let sent = 1; sent <= 3000; sent++) {
      sendPlain(theirs.socket, 'x')
      if (sent % 200 === 0) await until(() => ends.at(-1) === sent, `${sent} bytes`)
    }
    expect(ends).toEqual([...new Set(ends)].sort((a, b) => a - b))
  })

  it('a socket that cannot be watched says so, and can be resumed once it can', async () => {
    const [left, right] = pairUnix()
    const mine = watched(left, { readiness })
    const theirs = watched(right)
    const number = mine.socket.fd
    const native = mine.socket
    // Another poll of this loop holds the number, as one of Node's own handles may: libuv takes no second one.
    const other = new binding.Watcher(number, () => {})
    expect(other.watch(true)).toBe(0)
    try {
      if (readiness === 'level') expect(() => native.resume()).toThrow(SystemError)
    } finally {
      other.close()
    }
    native.resume()
    sendPlain(theirs.socket, 'hello')
    await until(() => mine.seen.text === 'hello', 'the bytes')
  })
})

it('a watcher that does not watch leaves the number alone, which may be another socket’s by now', async () => {
  const [listening, spare] = pairUnix()
  const watcher = new binding.Watcher(listening, () => {})
  watcher.watch(true)
  watcher.watch(false)
  binding.closeFd(listening) // as the collector may, before it comes to the watcher
  binding.closeFd(spare)
  const [left, right] = pairUnix()
  expect([left, right]).toContain(listening)
  const ends = [watched(left), watched(right)]
  for (const { socket } of ends) socket.resume()
  await turns() // the loop has told the kernel what it polls
  watcher.close()
  for (const { socket } of ends) sendPlain(socket, 'x')
  await until(() => ends.every(({ seen }) => seen.text === 'x'), 'both bytes')
})
