/** Sockets that end, throw or are forgotten at awkward moments: nothing is touched that is gone, the rest goes on. */
import { existsSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Descriptor, pairUnix } from '../../src/transport/index.js'
import { binding } from '../../src/transport/native.js'
import type { SocketHandlers } from '../../src/transport/socket-handlers.js'
import {
  note,
  openEdgeSet,
  readinesses,
  sendBearing,
  sendPlain,
  turns,
  until,
  type Watched,
  watched,
  watchedPair,
} from './native-sockets.js'

openEdgeSet()

/** What is thrown from callbacks of the loop, instead of ending the process. */
function catchUncaught(): unknown[] {
  const caught: unknown[] = []
  process.setUncaughtExceptionCaptureCallback((error) => void caught.push(error))
  onTestFinished(() => process.setUncaughtExceptionCaptureCallback(null))
  return caught
}

describe.each(readinesses)('by %s readiness', (readiness) => {
  it.each(['onReceived', 'onDeliver', 'onEnd', 'onSent', 'onSendError'] as const)(
    'a socket may be closed within %s',
    async (name) => {
      let called = false
      const closing = (...args: unknown[]): number => {
        called = true
        mine.socket.close()
        return name === 'onReceived' ? note(mine.seen, args[0] as never) : 0
      }
      const [mine, theirs] = watchedPair({ readiness }, { [name]: closing } as Partial<SocketHandlers>)
      mine.socket.resume()
      sendPlain(theirs.socket, new Uint8Array(100_000))
      if (name === 'onEnd' || name === 'onSendError') theirs.socket.close()
      if (name === 'onSent' || name === 'onSendError') sendPlain(mine.socket, 'x')
      await until(() => called, name)
      expect(mine.socket.closed).toBe(true)
      await turns()
    },
  )

  it('one socket’s callback may close all others that are ready, and open new ones with their numbers', async () => {
    const many: [Watched, Watched][] = []
    const fresh: Watched[] = []
    let owner: Watched | undefined
    const closeOthers = (me: () => Watched): void => {
      if (owner !== undefined) return
      owner = me()
      for (const [left, right] of many) {
        if (left === owner) continue
        left.socket.close()
        right.socket.close()
      }
      for (let i = 0; i < 40; i++) {
        const [left, right] = pairUnix()
        const reader = watched(left, { readiness })
        const writer = watched(right, { readiness })
        reader.socket.resume()
        sendPlain(writer.socket, 'fresh')
        fresh.push(reader)
      }
    }
    for (let i = 0; i < 100; i++) {
      const pair: [Watched, Watched] = watchedPair({ readiness }, { onDeliver: () => closeOthers(() => pair[0]) })
      many.push(pair)
    }
    for (const [left] of many) left.socket.resume()
    for (const [, right] of many) sendPlain(right.socket, 'x')
    await until(() => fresh.length > 0 && fresh.every(({ seen }) => seen.text === 'fresh'), 'the new ones’ bytes')
    expect(many.filter(([left]) => left.seen.text === 'x')).toHaveLength(1)
    expect(owner?.seen.text).toBe('x')
  })

  it('an exception of the consumer disturbs neither its socket nor others', async () => {
    const caught = catchUncaught()
    const failure = new Error('the consumer’s')
    const [mine, theirs] = watchedPair(
      { readiness },
      {
        onDeliver: () => {
          throw failure
        },
      },
    )
    const [other, sender] = watchedPair({ readiness })
    for (const { socket } of [mine, other]) socket.resume()
    let sent = ''
    for (const letter of 'abcdef') {
      sent += letter
      sendPlain(theirs.socket, letter)
      sendPlain(sender.socket, letter)
      await until(() => mine.seen.text === sent && other.seen.text === sent, sent)
    }
    theirs.socket.close()
    await until(() => mine.seen.ended, 'the end')
    expect(caught).toEqual(Array(6).fill(failure))
  })

  it('an exception of who is told of a refused group does not strand what is queued behind it', async () => {
    const [mine, theirs] = watchedPair(
      { readiness },
      {
        onRefused: () => {
          throw new Error('the listener’s')
        },
      },
    )
    const { queue } = mine.socket
    const memory = Buffer.from('badgood')
    const ride = { owned: false, startsSend: true, endsSend: false, begins: true }
    queue.push({ bytes: memory, start: 0, end: 3, fds: [99_999], group: 1, ...ride })
    queue.pushPlain(memory, 3, 7, 0)
    expect(() => mine.socket.flush()).toThrow('the listener’s')
    theirs.socket.resume()
    await until(() => theirs.seen.text === 'good', 'what was behind')
  })

  it('a socket that is forgotten while it receives goes on, and one that does not is closed', async () => {
    const collect = globalThis.gc as () => void
    const [left, right] = pairUnix()
    const [idle, partner] = pairUnix()
    const seen = (() => {
      watchedUnheld(idle, readiness)
      const { socket, seen } = watchedUnheld(left, readiness)
      socket.resume()
      return seen
    })()
    const writer = watched(right)
    binding.closeFd(partner)
    await until(() => {
      collect()
      return !existsSync(`/proc/self/fd/${idle}`)
    }, 'the collection of the idle one')
    sendPlain(writer.socket, 'hello')
    await until(() => seen.text === 'hello', 'the bytes')
    writer.socket.close()
    await until(() => seen.ended, 'the end')
    // It has paused itself at the end: nothing holds it any more.
    await until(() => {
      collect()
      return !existsSync(`/proc/self/fd/${left}`)
    }, 'the collection of the other')
  })

  it('a socket closed while its queue holds descriptors closes these, each once', async () => {
    const [mine] = watchedPair({ readiness })
    sendPlain(mine.socket, new Uint8Array(8 << 20)) // blocks
    const held = Descriptor.memfd(1)
    const before = binding.ledgerCount()
    sendBearing(mine.socket, 'x', [held.fd], 7)
    expect(mine.socket.queue.own(7)).toBe(0)
    expect(binding.ledgerCount()).toBe(before + 1)
    mine.socket.close()
    mine.socket.close()
    expect(binding.ledgerCount()).toBe(before - 1) // the socket, and the duplicate
    expect(existsSync(`/proc/self/fd/${held.fd}`)).toBe(true)
    held.close()
    await turns()
  })
})

function watchedUnheld(fd: number, readiness: 'level' | 'edge'): Watched {
  return watched(fd, { readiness }, {}, false)
}
