/**
 * Serves JSON-RPC with descriptors over the socket that is its descriptor 3. `fetch` calls the other side's `open`, and tells
 * what came of it. Ends with its stream.
 */
import { createMessageConnection } from '../../../src/adapters/vscode-jsonrpc/index.js'
import { adopt, Descriptor } from '../../../src/stream/index.js'
import { empty, fill, nameOf, openCount } from './full-table.js'

const connection = createMessageConnection(adopt(Descriptor.own(3), { descriptorHeadroom: 0 }))
connection.onRequest('fill', fill)
connection.onRequest('empty', empty)
connection.onRequest('openCount', openCount)
connection.onRequest('names', (files: Descriptor[]) => files.map(nameOf))
connection.onRequest('nested', ({ a: { deep } }: { a: { deep: Descriptor[] } }) => deep.map(nameOf))
connection.onRequest('open', (names: string[]) => names.map((name) => Descriptor.memfd(Buffer.from(name))))
connection.onRequest('fetch', async (names: string[]) => {
  try {
    const files = await connection.sendRequest<Descriptor[]>('open', names)
    const found = files.map(nameOf)
    for (const file of files) file.close()
    return found
  } catch (error) {
    return (error as { data?: unknown }).data
  }
})
connection.listen()
