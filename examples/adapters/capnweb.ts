/** One process asks another for a file, by capnweb, and is given it open. Shown in docs/adapters/capnweb.md. */
import { readFileSync } from 'node:fs'
import { RpcSession, RpcTarget } from 'capnweb'
import { Descriptor, pair } from 'pillion'
import { passDescriptor, structuredTransport, takeDescriptor } from 'pillion/adapters/capnweb'

class Files extends RpcTarget {
  open(name: string) {
    return { file: passDescriptor(() => Descriptor.memfd(Buffer.from(`the content of ${name}`))) } // opened when it is sent
  }
}
const [clientEnd, serverEnd] = pair() // or `connect` and `listen`, in two processes
new RpcSession(structuredTransport(serverEnd), new Files())
using files = new RpcSession<Files>(structuredTransport(clientEnd)).getRemoteMain()

const file = takeDescriptor((await files.open('notes')).file)
console.log(readFileSync(file.fd, 'utf8')) // → the content of notes
file.close()
