/** One process asks another for a file, by birpc, and is given it open. Shown in docs/adapters/birpc.md. */
import { readFileSync } from 'node:fs'
import { createBirpc } from 'birpc'
import { Descriptor, pair } from 'pillion'
import { overStream } from 'pillion/adapters/birpc'

const functions = { open: (name: string) => ({ file: Descriptor.memfd(Buffer.from(`the content of ${name}`)) }) }
type Functions = { open(name: string): Promise<{ file: Descriptor }> }

const [clientEnd, serverEnd] = pair() // or `connect` and `listen`, in two processes
overStream(serverEnd, (channel) => createBirpc(functions, channel))
const rpc = overStream(clientEnd, (channel) => createBirpc<Functions>({}, { ...channel, timeout: 5000 }))

const { file } = await rpc.open('notes') // it is ours from now on
console.log(readFileSync(file.fd, 'utf8')) // → the content of notes
file.close()
rpc.$close() // ends the stream, and with it the other end
