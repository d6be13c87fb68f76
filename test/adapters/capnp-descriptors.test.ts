/** Descriptors that came by Cap'n Proto RPC: until when they are open, and how many may be. */
import { Message as Whole } from 'capnp-es'
import { Message } from 'capnp-es/capnp/rpc'
import { describe, expect, it } from 'vitest'
import { capnp } from '../../src/framing/index.js'
import type { Descriptor, FrameStream } from '../../src/stream/index.js'
import { named, nameOf, streamPair, until } from '../support/streams.js'
import { capnpEsPeer } from './support/capnp-es-peer.js'
import { capnpTsPeer } from './support/capnp-ts-peer.js'
import type { PeerOptions } from './support/capnp-values.js'
import { unhandled } from './support/unhandled.js'

function abort(): Uint8Array {
  const whole = new Whole()
  whole.initRoot(Message)._initAbort().reason = 'enough'
  return new Uint8Array(whole.toArrayBuffer())
}

const ways: readonly (readonly [what: string, end: (stream: FrameStream) => unknown])[] = [
  ['garbage', (stream) => stream.send(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0]))], // a message without a root
  ['an abort', (stream) => stream.send(abort())],
  ['its end', (stream) => stream.end()],
]

describe.each([
  ['capnp-es', capnpEsPeer],
  ['capnp-ts', capnpTsPeer],
])('descriptors by %s', (_library, peerOn) => {
  function ends(methods: object, nearOptions: PeerOptions = {}, farOptions: PeerOptions = {}) {
    const streams = streamPair({ codec: capnp() })
    const far = peerOn(streams[1], methods, farOptions)
    const near = peerOn(streams[0], {}, nearOptions)
    return { streams, near, far }
  }

  it.each(ways)('are open when the methods begin whose calls came ahead of %s', async (_what, end) => {
    for (const count of [3, 40]) {
      const begun: boolean[] = []
      const { streams, near, far } = ends({ note: (file: Descriptor) => void begun.push(file.closed) })
      using file = named('one')
      const outcomes = Promise.allSettled(Array.from({ length: count }, () => near.call('note', file)))
      await end(streams[0])
      await until(() => streams[1].destroyed || begun.length === count, 'the end')
      expect(begun).toEqual(Array(count).fill(false))
      near.close()
      far.close()
      await outcomes
    }
  })

  it.each(ways)('in a result that came ahead of %s are open when it is told', async (_what, end) => {
    const { streams, near, far } = ends({ open: () => file })
    using file = named('one')
    const call = near.call('open')
    streams[0].pause()
    await until(() => streams[1].stats.sent.descriptors > 0, 'the result')
    await end(streams[1])
    await streams[1].flush()
    streams[0].resume()
    const later = (async () => (async () => (async () => call)())())()
    expect(nameOf((await later) as Descriptor)).toBe('one')
    near.close()
    far.close()
  })

  it('in results end the connection when too many are not taken, and are closed', async () => {
    const uncaught = unhandled()
    const errors: Error[] = []
    const { streams, near } = ends({ open: () => file }, { maxUntaken: 10, onError: (error) => errors.push(error) })
    using file = named('one')
    const results: Descriptor[] = []
    const calls = Array.from({ length: 11 }, async () => results.push((await near.call('open')) as Descriptor))
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map(({ status }) => status)).toEqual([...Array(10).fill('fulfilled'), 'rejected'])
    expect(outcomes.at(-1)).toMatchObject({ reason: { type: 'overloaded' } })
    await expect(streams[0].closed).rejects.toMatchObject({ type: 'overloaded' })
    expect(errors).toMatchObject([{ name: 'RpcError', type: 'overloaded' }])
    await until(() => results.every(({ closed }) => closed), 'their closing')
    expect(uncaught).toEqual([])
  })

  it('in calls end the connection when too many wait for their answers, and are closed', async () => {
    const { streams, near } = ends({ hang: () => new Promise(() => {}) }, {}, { maxUntaken: 10 })
    using file = named('one')
    const calls = await Promise.allSettled(Array.from({ length: 11 }, () => near.call('hang', file)))
    expect(calls.every(({ status }) => status === 'rejected')).toBe(true)
    await expect(streams[1].closed).rejects.toMatchObject({ type: 'overloaded' })
  })

  it('are no more counted once they are taken or closed, or their call is answered', async () => {
    const { streams, near, far } = ends(
      { open: () => file, ignore: () => null },
      { maxUntaken: 10 },
      { maxUntaken: 10 },
    )
    using file = named('one')
    const taken: Descriptor[] = []
    for (let i = 0; i < 30; i++) {
      await near.call('ignore', [file, file])
      const result = (await near.call('open')) as Descriptor
      if (i % 2 === 0) result.close()
      else taken.push(result.dup())
      result.close()
    }
    expect(streams.map(({ destroyed }) => destroyed)).toEqual([false, false])
    for (const each of taken) each.close()
    near.close()
    far.close()
  })
})
