/** A handler knows which process calls; the listener lets in this user alone. Shown in docs/adapters/grpc-js.md. */
import { Client, credentials, Server, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import { listen } from 'pillion'
import { peerOf, serveConnections } from 'pillion/adapters/grpc-js'

const toBytes = (text: string) => Buffer.from(text)
const hello = (call: ServerUnaryCall<string, string>, done: sendUnaryData<string>) =>
  done(null, `${call.request}, ${peerOf(call).pid === process.pid ? 'myself' : 'stranger'}`)
const server = new Server() // not bound: it is given its connections
server.register('/Greeter/Hello', hello, toBytes, String, 'unary') // or addService

const path = `/tmp/pillion-grpc-js-${process.pid}.sock`
const listener = await listen(path, { authorize: ({ uid }) => uid === process.geteuid?.() })
const connections = serveConnections(listener, server)

const client = new Client(`unix:${path}`, credentials.createInsecure())
client.makeUnaryRequest('/Greeter/Hello', toBytes, String, 'Hello', async (_error, answer) => {
  console.log(answer) // → Hello, myself
  client.close()
  await connections.close()
})
