/** A capability comes with the descriptor of a file. Shown in docs/adapters/capnp-ts.md. */
import { readFileSync } from 'node:fs'
import { Descriptor, pair } from 'pillion'
import { attachDescriptor, createConn, descriptorOf } from 'pillion/adapters/capnp-ts'
import { capnp } from 'pillion/framing'
import { File, Peer } from '../../test/adapters/fixtures/generated/capnp-ts/peer.js' // file (name) -> (file :File)

const [left, right] = pair({ codec: capnp() }) // or connect() and listen(), between processes
using notes = Descriptor.memfd(Buffer.from('content of notes'))
const opened = new File.Server({ name: (_params, results) => results.setName('notes') })
attachDescriptor(opened, notes)
createConn(right, {
  main: new Peer.Server({ file: (_params, results) => results.setFile(opened), call: () => {} }),
})

const conn = createConn(left)
const results = await conn.bootstrap(Peer).file()
console.log(readFileSync(descriptorOf(results.getFile())?.fd ?? -1, 'utf8')) // → content of notes
conn.close()
