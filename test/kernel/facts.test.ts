/**
 * The facts of docs/kernel.md, under the same numbers, on the kernel that runs this. What pillion rests on is shown
 * here, or the test that fails says which of it has changed.
 *
 * Shown through pillion's own sockets where these can do it; facts.py does what they cannot be made to do.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { PillionError } from '../../src/errors.js'
import { closeDescriptors, pairUnix, UnixSocket } from '../../src/transport/index.js'
import { binding } from '../../src/transport/native.js'
import { needs } from '../support/needs.js'
import { closeAll, makeTokens, tokenOf } from '../support/tokens.js'

interface Message {
  readonly bytes: string
  readonly fds: number
  readonly truncated: boolean
}

const names = [
  'merged',
  'short_reads',
  'last_bytes',
  'plain_read',
  'stranded',
  'most_descriptors',
  'short_control',
  'padding',
  'full_table',
  'credentials_first',
  'empty_send',
  'large_send',
  'small_sends',
  'shared_flags',
  'closed_by_peer',
  'closed_with_input',
  'queued_and_closed',
] as const
type Seen = Readonly<Record<(typeof names)[number], unknown>>

let seen: Seen

beforeEach((context) => {
  needs(context, { command: 'python3' })
  seen ??= JSON.parse(execFileSync('python3', [join(import.meta.dirname, 'facts.py'), ...names], { encoding: 'utf8' }))
})

const message = (bytes: string, fds = 0, truncated = false): Message => ({ bytes, fds, truncated })

/** A set as our socket hands it over: where its recvmsg ended, and which descriptors they are. */
interface SeenSet {
  readonly end: number
  readonly tokens: readonly number[]
  readonly truncated: boolean
}

/** One end of a pair, as a record of what the other end's sends became. */
class Ear {
  text = ''
  readonly sets: SeenSet[] = []
  readonly #over: Promise<PillionError | undefined>
  readonly socket: UnixSocket

  constructor(fd: number) {
    let settle: (error: PillionError | undefined) => void
    this.#over = new Promise((resolve) => {
      settle = resolve
    })
    this.socket = new UnixSocket(fd, {
      onReceived: (received) => {
        this.text += Buffer.from(received.bytes.subarray(received.start, received.end)).toString('latin1')
        for (const { end, fds, truncated } of received.sets) {
          this.sets.push({ end, tokens: fds.map(tokenOf), truncated })
          closeDescriptors(fds)
        }
        return received.end - received.start
      },
      onDeliver() {},
      onEnd: () => settle(undefined),
      onReceiveError: (error) => settle(error),
      onSendError() {},
      onRefused() {},
      onSent() {},
      onPressure() {},
    })
    onTestFinished(() => this.socket.close())
  }

  /** Receives until the stream ends; the error it ended with. */
  hear(): Promise<PillionError | undefined> {
    this.socket.resume()
    return this.#over
  }
}

function earPair(): [Ear, Ear] {
  const [left, right] = pairUnix()
  return [new Ear(left), new Ear(right)]
}

let group = 0

/** One sendmsg, or as many as the kernel's buffer makes of it. */
function send(ear: Ear, text: string, tokens: readonly number[] = []): void {
  const descriptors = makeTokens(tokens)
  sendFds(
    ear,
    text,
    descriptors.map(({ fd }) => fd),
  )
  closeAll(descriptors)
}

function sendFds(ear: Ear, text: string, fds: readonly number[]): void {
  const bytes = Buffer.from(text, 'latin1')
  const whole = { start: 0, end: bytes.length, startsSend: true, endsSend: true, begins: true }
  ear.socket.queue.push({ bytes, fds, owned: false, group: ++group, ...whole })
  ear.socket.flush()
}

describe('where descriptors land', () => {
  it('fact 1: one recvmsg merges plain sends with the set behind them and stops right after that send', async () => {
    expect(seen.merged).toEqual([message('AB', 1), message('C')])

    const [left, right] = earPair()
    send(left, 'A')
    send(left, 'B', [7])
    send(left, 'C')
    left.socket.shutDown()
    await right.hear()

    expect(right.text).toBe('ABC')
    expect(right.sets).toEqual([{ end: 2, tokens: [7], truncated: false }])
  })

  it('fact 2: a short read takes the set with its first byte, and the next read goes on into the next set', () => {
    expect(seen.short_reads).toEqual([message('a', 1), message('bcd', 2), message('efg')])
  })

  it('fact 3: at every read size, a set belongs to the send that holds the last byte of its recvmsg', async () => {
    for (const [size, sends] of Object.entries(seen.last_bytes as Record<string, number[][]>)) {
      expect(sends, `read size ${size}`).toEqual([
        [1, 1],
        [2, 2],
        [4, 4],
      ])
    }
    expect(Object.keys(seen.last_bytes as object)).toHaveLength(20)

    const [left, right] = earPair()
    const sends = ['plain', 'one', 'plain again', 'two', 'three', 'plain at last']
    const tokens = [[], [1], [], [2, 3], [4], []]
    sends.forEach((text, i) => void send(left, text, tokens[i]))
    left.socket.shutDown()
    await right.hear()

    const owners = right.sets.map(({ end }) => sendAt(sends, end - 1))
    expect(owners).toEqual([1, 3, 4])
    expect(right.sets.map((set) => set.tokens)).toEqual([[1], [2, 3], [4]])
  })

  it('fact 4: a plain read stops short at a set and the kernel closes the descriptors unseen', () => {
    expect(seen.plain_read).toEqual({ reads: ['first', 'second'], descriptors: 0 })
  })

  it('fact 5: with an edge, what lies behind a short read brings no event', () => {
    expect(seen.stranded).toEqual({ events: 1, message: message('first', 1), eventsAfter: 0, waiting: 6 })
  })
})

describe('counts and limits', () => {
  it('fact 6: 253 descriptors pass in one message and 254 are EINVAL', async () => {
    expect(seen.most_descriptors).toEqual({ '254': 'EINVAL', '253': 1, received: message('x', 253) })

    const [left, right] = earPair()
    const tokens = Array.from({ length: 253 }, (_, i) => i)
    send(left, 'x', tokens)
    left.socket.shutDown()
    await right.hear()

    expect(right.sets).toEqual([{ end: 1, tokens, truncated: false }])
  })

  it('fact 7: a short control buffer installs a prefix, closes the rest for good, and all bytes arrive', () => {
    expect(seen.short_control).toEqual({
      messages: [message('ta', 4, true), message('il')],
      after: 'EAGAIN',
      descriptors: 0,
    })
  })

  it('fact 8: the padding of CMSG_SPACE lets one descriptor in beyond an odd room', () => {
    expect(seen.padding).toEqual({ 1: 2, 2: 2, 3: 4, 4: 4 })
  })

  it('fact 9: a full descriptor table is no error but a truncated set, a prefix of it, with all the bytes', () => {
    expect(seen.full_table).toEqual([0, 1, 2, 3, 4, 5].map((free) => message('data', free, free < 5)))
  })

  it('fact 10: the sender’s credentials take their room first, so a buffer for 253 descriptors alone loses some', () => {
    const { alone, room } = seen.credentials_first as { alone: Message; room: Message }
    expect(alone.truncated).toBe(true)
    expect(alone.fds).toBeLessThan(253)
    expect(room).toEqual(message('x', 253))
  })
})

describe('sending', () => {
  it('fact 11: a send of no bytes drops its descriptors without a word', () => {
    expect(seen.empty_send).toEqual({ sent: 0, received: 'EAGAIN', descriptors: 0 })
  })

  it('fact 12: a large send is cut, its set rides on the first piece, and a partial send has sent the whole set', async () => {
    const { sent, messages, refused, late } = seen.large_send as {
      sent: number
      messages: number[][]
      refused: string
      late: number
    }
    expect(sent).toBeGreaterThan(0)
    expect(sent).toBeLessThan(1_000_000)
    expect(messages.map(([, fds]) => fds)).toEqual([1, ...messages.slice(1).map(() => 0)])
    expect(messages.length).toBeGreaterThan(1)
    expect({ refused, late }).toEqual({ refused: 'EAGAIN', late: 0 })

    // Ours: sent in part at first; the remainder goes without the set, so it arrives once.
    const [left, right] = earPair()
    send(left, 'z'.repeat(1_000_000), [5, 6])
    expect(left.socket.queue.empty).toBe(false)
    const heard = right.hear()
    while (!left.socket.queue.empty) await new Promise(setImmediate)
    left.socket.shutDown()
    await heard

    expect(right.text.length).toBe(1_000_000)
    expect(right.sets.map((set) => set.tokens)).toEqual([[5, 6]])
    expect(right.sets[0]?.end).toBeLessThanOrEqual(messages[0]?.[0] ?? 0)
  })

  it('fact 13: each small send costs a whole skb, so a few hundred bytes one by one fill the buffer', () => {
    const { sends, gathered } = seen.small_sends as { sends: number; gathered: number }
    expect(sends).toBeLessThan(1000)
    expect(gathered).toBe(100_000)
  })

  it('fact 14: O_NONBLOCK belongs to the open file and changes for all who share it', () => {
    expect(seen.shared_flags).toEqual({ before: false, after: true })
  })
})

describe('the ends of a stream', () => {
  it('fact 15: what was sent before a close still arrives, bytes and descriptors', async () => {
    expect(seen.closed_by_peer).toEqual([message('last', 1), message('')])

    const [left, right] = earPair()
    send(left, 'last', [9])
    left.socket.close()

    expect(await right.hear()).toBeUndefined()
    expect(right.text).toBe('last')
    expect(right.sets).toEqual([{ end: 4, tokens: [9], truncated: false }])
  })

  it('fact 16: a peer that closes with input unread is ECONNRESET behind all that it sent, then the end', async () => {
    expect(seen.closed_with_input).toEqual([message('last', 1), 'ECONNRESET', message('')])

    const [left, right] = earPair()
    send(right, 'never read')
    send(left, 'last', [9])
    left.socket.close()

    expect(await right.hear()).toMatchObject({ code: 'ECONNRESET', syscall: 'recvmsg', origin: 'system' })
    expect(right.text).toBe('last')
    expect(right.sets).toEqual([{ end: 4, tokens: [9], truncated: false }])
  })

  it('fact 17: descriptors in a queue stay open until its socket closes, and are closed with it', () => {
    expect(seen.queued_and_closed).toEqual({ queued: 'open', closed: 'closed' })

    // Of a pair whose one end is in the queue, the other end sees the end of the stream only once that is closed.
    const [left, right] = earPair()
    const [watched, queued] = pairUnix()
    onTestFinished(() => void binding.closeFd(watched))
    sendFds(left, 'queued', [queued])
    binding.closeFd(queued)
    expect(binding.isShutDown(watched)).toBe(false)

    right.socket.close()
    left.socket.close()
    expect(binding.isShutDown(watched)).toBe(true)
  })
})

/** Index of the send that byte `position` of the stream was in. */
function sendAt(sends: readonly string[], position: number): number {
  let end = 0
  return sends.findIndex((text) => {
    end += text.length
    return position < end
  })
}
