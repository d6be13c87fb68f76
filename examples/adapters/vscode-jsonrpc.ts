/** A request opens a file at the other end, and is answered with its descriptor. Shown in docs/adapters/vscode-jsonrpc.md. */
import { readFileSync } from 'node:fs'
import { Descriptor, pair } from 'pillion'
import { createMessageConnection } from 'pillion/adapters/vscode-jsonrpc'

const [left, right] = pair() // or connect() and listen(), between processes
const server = createMessageConnection(right)
server.onRequest('open', (name: string) => ({ name, file: Descriptor.memfd(Buffer.from(`content of ${name}`)) }))
server.listen()

const client = createMessageConnection(left)
client.listen()
const { file } = await client.sendRequest<{ name: string; file: Descriptor }>('open', 'notes')
console.log(readFileSync(file.fd, 'utf8')) // → content of notes
file.close()
client.dispose()
