/** A capability comes with the descriptor of a file. Shown in docs/adapters/capnp-es.md. */
import { readFileSync } from 'node:fs'
import { Descriptor, pair } from 'pillion'
import { attachDescriptor, descriptorOf, FrameConn } from 'pillion/adapters/capnp-es'
import { capnp } from 'pillion/framing'
import { File, Peer } from '../../test/adapters/fixtures/generated/capnp-es/peer.js' // file (name) -> (file :File)

const [left, right] = pair({ codec: capnp() }) // or connect() and listen(), between processes
using notes = Descriptor.memfd(Buffer.from('content of notes'))
const opened = new File.Server({ name: async () => {} })
attachDescriptor(opened, notes)
const serving = new FrameConn(right)
serving.initMain(Peer, {
  call: async () => {},
  async file(_params, results) {
    results.file = opened.client()
  },
})

const conn = new FrameConn(left)
const results = await conn.bootstrap(Peer).file().promise()
console.log(readFileSync(descriptorOf(results.file)?.fd ?? -1, 'utf8')) // → content of notes
conn.shutdown()
