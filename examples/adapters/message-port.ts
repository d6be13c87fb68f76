/** A file goes to another process, here the other end of a pair, and to a thread. Shown in docs/adapters/message-port.md. */
import { fstatSync } from 'node:fs'
import { MessageChannel } from 'node:worker_threads'
import { Descriptor, pair } from 'pillion'
import { FramePort, ThreadPort } from 'pillion/adapters/message-port'

const [near, far] = pair().map((stream) => new FramePort(stream)) as [FramePort, FramePort]
const { port1, port2 } = new MessageChannel() // one end for a Worker's transferList
const [here, there] = [new ThreadPort(port1), new ThreadPort(port2)]

far.on('message', (message) => {
  const { file } = message as { file: Descriptor }
  here.postMessage(new Map([['file', file]]), [file]) // without a duplicate: the number is theirs
})
there.on('message', (message) => {
  using file = (message as Map<string, Descriptor>).get('file')!
  console.log(fstatSync(file.fd).size) // → 7
  for (const port of [near, there]) port.close()
})
using file = Descriptor.memfd(Buffer.from('pillion'))
near.postMessage({ file }) // a duplicate goes: ours is still ours
