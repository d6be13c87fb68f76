/** Serves a Peer over the socket that is its descriptor 3, by the library that its argument names. Ends with its stream. */
import { capnp } from '../../../src/framing/index.js'
import { adopt, Descriptor } from '../../../src/stream/index.js'
import { capnpEsPeer } from '../support/capnp-es-peer.js'
import { capnpTsPeer } from '../support/capnp-ts-peer.js'
import { empty, fill, nameOf, openCount } from './full-table.js'

const returned: Descriptor[] = []

const peer = process.argv[2] === 'capnp-ts' ? capnpTsPeer : capnpEsPeer
const end = peer(adopt(Descriptor.own(3), { codec: capnp(), descriptorHeadroom: 0 }), {
  fill,
  empty,
  openCount: () => {
    for (const file of returned.splice(0)) file.close()
    return openCount()
  },
  names: (files: Descriptor[]) => files.map(nameOf),
  nested: ({ a: { deep } }: { a: { deep: Descriptor[] } }) => deep.map(nameOf),
  open: (names: string[]) => {
    const files = names.map((name) => Descriptor.memfd(Buffer.from(name)))
    returned.push(...files)
    return files
  },
  fetch: async (names: string[]) => {
    try {
      const files = (await end.call('open', names)) as Descriptor[]
      const found = files.map(nameOf)
      for (const file of files) file.close()
      return found
    } catch (error) {
      return (error as { code?: unknown }).code
    }
  },
})
