/**
 * The facts of docs/kernel.md about messages, under the same numbers, on the kernel that runs this. messages.py looks,
 * without pillion; what it has to see stands here.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { needs } from '../support/needs.js'

type Flag = 'MSG_TRUNC' | 'MSG_CTRUNC' | 'MSG_EOR'
/** What recvmsg returned, control messages that are no descriptors, descriptors, flags; or the error. */
type Received = readonly [number, number, number, readonly Flag[]] | string
interface EmptyAndEnd {
  /** Events of poll, and FIONREAD. */
  readonly before: readonly number[]
  readonly empty: Received
  readonly after: readonly number[]
  readonly end: Received
}
interface Seen {
  readonly plain: EmptyAndEnd
  readonly stamped: EmptyAndEnd
  readonly empty_with_descriptors: readonly [number, Received]
  readonly cut: readonly Received[]
  readonly look: readonly (Received | number)[]
  readonly reset: readonly Received[]
  readonly largest: readonly [string, boolean]
  readonly gone: readonly (Received | number)[]
}

const came = (bytes: number, stamps = 0, fds = 0, flags: readonly Flag[] = []): Received => [bytes, stamps, fds, flags]

describe.each(['SOCK_SEQPACKET', 'SOCK_DGRAM'] as const)('%s', (type) => {
  const ends = type === 'SOCK_SEQPACKET'
  let seen: Seen

  beforeEach((context) => {
    needs(context, { command: 'python3' })
    seen ??= JSON.parse(execFileSync('python3', [join(import.meta.dirname, 'messages.py'), type], { encoding: 'utf8' }))
  })

  it('fact 18: only a control message tells an empty message from the end', () => {
    expect(seen.plain.empty).toEqual(came(0))
    expect(seen.plain.end).toEqual(ends ? came(0) : 'EAGAIN')
    // Neither the events nor the count of bytes say that a message is there.
    if (ends) expect(seen.plain.before).toEqual(seen.plain.after)

    expect(seen.stamped.empty).toEqual(came(0, 1))
    expect(seen.stamped.end).toEqual(ends ? came(0) : 'EAGAIN')
  })

  it('fact 19: an empty message carries descriptors', () => {
    expect(seen.empty_with_descriptors).toEqual([0, came(0, 0, 1)])
  })

  it('fact 20: a message that finds no room is cut, and the rest is gone; one too long for the buffer is not sent', () => {
    expect(seen.cut).toEqual([came(5, 0, 1, ['MSG_TRUNC']), came(4), came(11, 0, 0, ['MSG_TRUNC'])])
    expect(seen.largest).toEqual(['EMSGSIZE', true])
  })

  it('fact 21: a reset overtakes the messages that were sent before it', () => {
    const messages = [came(3), came(0), came(5)]
    expect(seen.reset).toEqual(ends ? ['ECONNRESET', ...messages, came(0)] : [...messages, 'EAGAIN', 'EAGAIN'])
  })

  it('fact 22: a datagram socket sees no end; who sends is told that nobody is there', () => {
    expect(seen.gone).toEqual(ends ? [came(0), 'EPIPE', 'EPIPE'] : ['EAGAIN', 'ECONNREFUSED', 'ENOTCONN'])
  })

  it('fact 23: a look with room for a time stamp alone tells of descriptors and installs none', () => {
    expect(seen.look).toEqual([
      came(0, 1, 0, ['MSG_TRUNC']),
      0,
      came(5, 1),
      came(0, 1, 0, ['MSG_TRUNC', 'MSG_CTRUNC']),
      0,
      came(5, 1, 1),
    ])
  })
})
