/** Calls that came to a connection of capnp-es before its main interface was given. */
import { expect, it } from 'vitest'
import { FrameConn } from '../../src/adapters/capnp-es/index.js'
import { capnp } from '../../src/framing/index.js'
import { streamPair, turns } from '../support/streams.js'
import { Peer } from './fixtures/generated/capnp-es/peer.js'

it.each([
  ['a promise', () => Promise.resolve()],
  ['a tick', () => new Promise<void>((resolve) => process.nextTick(resolve))],
  ['a turn of the event loop', () => new Promise<void>((resolve) => setImmediate(resolve))],
])('serves all that came before, in order, with a main interface that is given %s later', async (_title, later) => {
  const [stream, peer] = streamPair({ codec: capnp() })
  const asking = new FrameConn(stream)
  const main = asking.bootstrap(Peer)
  const seen: string[] = []
  const call = (_: unknown, i: number) => {
    const called = main.call((params) => {
      params.method = String(i)
    })
    return called.promise()
  }
  const answers = Promise.all(Array.from({ length: 50 }, call))
  await turns()
  const serving = new FrameConn(peer)
  await later()
  serving.initMain(Peer, {
    call: async ({ method }) => void seen.push(method),
    file: async () => {},
  })

  await answers
  expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => String(i)))
  asking.shutdown()
  serving.shutdown()
})
