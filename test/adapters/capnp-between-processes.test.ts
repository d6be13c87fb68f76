/** Descriptors of Cap'n Proto's capabilities between two processes, of one library each. */
import { describe, expect, it } from 'vitest'
import { capnp } from '../../src/framing/index.js'
import { named } from '../support/streams.js'
import { capnpEsPeer } from './support/capnp-es-peer.js'
import { capnpTsPeer } from './support/capnp-ts-peer.js'
import { childStream } from './support/child-stream.js'
import { passThousandEachWay } from './support/thousand-descriptors.js'

describe.each([
  ['capnp-es', 'capnp-es', capnpEsPeer],
  ['capnp-ts', 'capnp-es', capnpTsPeer],
  ['capnp-ts', 'capnp-ts', capnpTsPeer],
] as const)('%s, with a process that has %s', (_library, theirs, peerOn) => {
  it('a thousand descriptors go each way, each to its own call, and none stays', async () => {
    const end = peerOn(childStream('capnp-peer.ts', { args: [theirs], codec: capnp() }), {})
    await passThousandEachWay(async (method, ...params) => end.call(method, ...params))
    end.close()
  })

  it('a descriptor that is lost is an error where it is asked for', async () => {
    const files = Array.from({ length: 20 }, (_, i) => named(i))
    const stream = childStream('capnp-peer.ts', { args: [theirs], codec: capnp(), limit: 128 })
    const end = peerOn(stream, { open: () => files })
    await end.call('fill', 5)
    await expect(end.call('names', files)).rejects.toThrow('the descriptor of a capability was lost')
    expect(await end.call('fetch', [])).toBe('ERR_PILLION_DESCRIPTOR_LOST')
    await end.call('empty')
    expect(await end.call('names', files)).toEqual(files.map((_, i) => String(i)))
    for (const file of files) file.close()
    end.close()
  })
})
