/** Descriptors of Cap'n Proto's capabilities between two processes, of one library each. */
import { describe, expect, it } from 'vitest'
import { capnp } from '../../src/framing/index.js'
import type { Descriptor } from '../../src/stream/index.js'
import { named, nameOf } from '../support/streams.js'
import { capnpEsPeer } from './support/capnp-es-peer.js'
import { capnpTsPeer } from './support/capnp-ts-peer.js'
import { childStream } from './support/child-stream.js'

describe.each([
  ['capnp-es', 'capnp-es', capnpEsPeer],
  ['capnp-ts', 'capnp-es', capnpTsPeer],
  ['capnp-ts', 'capnp-ts', capnpTsPeer],
] as const)('%s, with a process that has %s', (_library, theirs, peerOn) => {
  it('a thousand descriptors go each way, each to its own call, and none stays', async () => {
    const end = peerOn(childStream('capnp-peer.ts', { args: [theirs], codec: capnp() }), {})
    const before = await end.call('openCount')
    let sent = 0
    let received = 0
    for (let round = 0; round < 40; round++) {
      const calls = Array.from({ length: 9 }, async (_, i) => {
        const names = Array.from({ length: i % 8 }, (_, k) => `${round}.${i}.${k}`)
        const files = names.map(named)
        sent += files.length
        const found = end.call(i % 2 === 0 ? 'nested' : 'names', i % 2 === 0 ? { a: { deep: files } } : files)
        expect(await found).toEqual(names)
        for (const file of files) file.close()
        const opened = (await end.call('open', names)) as Descriptor[]
        expect(opened.map(nameOf)).toEqual(names)
        received += opened.length
        for (const file of opened) file.close()
      })
      await Promise.all(calls)
    }
    expect([sent, received]).toEqual([1120, 1120])
    expect(await end.call('openCount')).toBe(before)
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
