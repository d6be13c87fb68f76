/** Cap'n Proto calls whose descriptors the peer refuses: what becomes of them, and of the connection. */
import { describe, expect, it } from 'vitest'
import { capnp } from '../../src/framing/index.js'
import { adopt, type Descriptor } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { destroyedAfterTest, named, until } from '../support/streams.js'
import { capnpEsPeer } from './support/capnp-es-peer.js'
import { capnpTsPeer } from './support/capnp-ts-peer.js'

describe.each([
  ['capnp-es', capnpEsPeer],
  ['capnp-ts', capnpTsPeer],
])('a peer of %s that refuses descriptors', (_library, peerOn) => {
  function ends() {
    const [left, right] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
    const stream = destroyedAfterTest(adopt(left, { codec: capnp() }))
    const peer = destroyedAfterTest(adopt(right, { codec: capnp(), acceptDescriptors: false }))
    return { stream, near: peerOn(stream, {}), attach: () => peerOn(peer, { take: () => 1 }) }
  }

  it('has the call fail alone that has some', async () => {
    const { near, attach } = ends()
    const far = attach()
    expect(await near.call('take')).toBe(1)
    const file = named(1)
    await expect(near.call('take', file)).rejects.toThrow('the peer refuses descriptors')
    expect(file.closed).toBe(false)
    expect(await near.call('take')).toBe(1)
    file.close()
    near.close()
    far.close()
  })

  it('is left if it is found out behind what waited: the library holds the message for sent', async () => {
    const { stream, near, attach } = ends()
    const waiting = Array.from({ length: 30 }, () => near.call('take', 'x'.repeat(100_000)))
    expect(stream.queuedBytes).toBeGreaterThan(0)
    const file = named(1)
    const outcomes = Promise.allSettled([...waiting, near.call('take', file)])
    const far = attach()
    await until(() => stream.destroyed)
    expect((await outcomes).at(-1)).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining('the peer refuses descriptors') },
    })
    expect(file.closed).toBe(false)
    file.close()
    far.close()
  })
})
