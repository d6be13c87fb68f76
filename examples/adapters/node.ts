/** A listening socket goes over a stream, and an http server accepts from it. Shown in docs/adapters/node.md. */
import { createServer, get } from 'node:http'
import { connect, listen, pair } from 'pillion'
import { listenOn, toSocket } from 'pillion/adapters/node'

const path = `/tmp/pillion-node-${process.pid}.sock`
const [parent, child] = pair()
parent.send(Buffer.from('serve this'), [(await listen(path)).detach()], { transfer: true })

for await (const { descriptors } of child) {
  const http = createServer((_request, response) => response.end('served'))
  const server = listenOn(http, descriptors[0]!) // takes it over
  const stream = await connect(path)
  await stream.stopReceiving()
  const socket = toSocket(stream.detach().socket) // a net.Socket, connected by pillion
  get({ createConnection: () => socket }, (response) => {
    response.on('data', (body) => console.log(`${body}`)) // → served
    response.on('end', () => server.close())
  })
  break // which destroys the stream
}
