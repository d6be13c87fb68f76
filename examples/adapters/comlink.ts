/** One process asks another for a file, by comlink, and is given it open. Shown in docs/adapters/comlink.md. */
import { readFileSync } from 'node:fs'
import * as Comlink from 'comlink'
import { Descriptor, pair } from 'pillion'
import { streamEndpoint } from 'pillion/adapters/comlink'

const files = {
  open: (name: string) => ({ file: Descriptor.memfd(Buffer.from(`the content of ${name}`)) }),
  each: async (names: string[], callback: (name: string) => void) => {
    for (const name of names) await callback(name)
  },
}
const [clientEnd, serverEnd] = pair() // or `connect` and `listen`, in two processes
Comlink.expose(files, streamEndpoint(serverEnd, Comlink))
const endpoint = streamEndpoint(clientEnd, Comlink)
const remote = Comlink.wrap<typeof files>(endpoint)

using file = (await remote.open('notes')).file // it is ours from now on
console.log(readFileSync(file.fd, 'utf8')) // → the content of notes
const show = Comlink.proxy((name: string) => console.log(name)) // → a
await remote.each(['a'], show) // called back through the stream
endpoint.close()
