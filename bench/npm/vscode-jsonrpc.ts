/** vscode-jsonrpc with its own reader and writer of streams. It has no capabilities. */
import type { Socket } from 'node:net'
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node'
import { connectByNet, listenByNet } from '../contenders/net-sockets.js'
import { makeCalls } from '../roles/calls.js'

function open(socket: Socket): ReturnType<typeof createMessageConnection> {
  return createMessageConnection(new StreamMessageReader(socket), new StreamMessageWriter(socket))
}

await makeCalls({
  listen: ({ path }) =>
    listenByNet(path, (socket) => {
      const connection = open(socket)
      connection.onRequest('echo', (text) => text)
      connection.listen()
    }),
  connect: async ({ path }) => {
    const connection = open(await connectByNet(path))
    connection.listen()
    return { echo: (text) => connection.sendRequest('echo', text) }
  },
})
