/** `peer`: who it was stays known when the stream is over; what only the kernel can say does not. */
import { describe, expect, test } from 'vitest'
import { ClosedError, type FrameStream } from '../../src/stream/index.js'
import { streamPair } from '../support/streams.js'

const ids = { pid: process.pid, uid: process.geteuid?.(), gid: process.getegid?.() }

const ends: Record<string, (stream: FrameStream, peer: FrameStream) => unknown> = {
  destroyed: (stream) => stream.destroy(),
  'ended on both sides': (stream, peer) => Promise.all([stream.end(), peer.end(), stream.closed]),
  'whose peer has gone': async (stream, peer) => {
    peer.destroy()
    await stream.end()
    await stream.closed
  },
}

describe.each(Object.entries(ends))('of a stream %s', (_name, reach) => {
  test('has its pid, uid and gid, asked for the first time', async () => {
    const [stream, peer] = streamPair()
    await reach(stream, peer)
    expect(stream.destroyed).toBe(true)
    expect({ ...stream.peer }).toMatchObject(ids)
    expect(stream.peer).toBe(stream.peer)
  })

  test('has no groups, label and pidfd that were not asked for before', async () => {
    const [stream, peer] = streamPair()
    await reach(stream, peer)
    expect(() => stream.peer.groups).toThrow(ClosedError)
    expect(() => stream.peer.label).toThrow(ClosedError)
    expect(() => stream.peer.pidfd()).toThrow(ClosedError)
  })
})

test('has the groups that were asked for before', () => {
  const [stream] = streamPair()
  const { groups } = stream.peer
  stream.destroy()
  expect(stream.peer.groups).toBe(groups)
})
