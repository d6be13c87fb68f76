/** birpc with msgpackr, over a gathered socket. It has no capabilities. */
import type { Socket } from 'node:net'
import { createBirpc } from 'birpc'
import { Packr } from 'msgpackr'
import { connectByNet, listenByNet } from '../contenders/net-sockets.js'
import { makeCalls } from '../roles/calls.js'
import { GatheredSocket } from './gathered-socket.js'

interface Functions {
  echo(text: string): string
}

interface Remote {
  echo(text: string): Promise<string>
}

function open<Local extends object>(socket: Socket, functions: Local): Remote {
  const gathered = new GatheredSocket(socket)
  const packr = new Packr({ useRecords: false, sequential: true })
  return createBirpc<Remote, Local>(functions, {
    post: (message) => gathered.send(message as Buffer),
    on: (receive) => gathered.receive(receive),
    serialize: (value) => packr.pack(value),
    deserialize: (message) => packr.unpack(message as Buffer),
    timeout: -1, // a timer for each call otherwise
  })
}

await makeCalls({
  listen: ({ path }) => listenByNet(path, (socket) => void open<Functions>(socket, { echo: (text) => text })),
  connect: async ({ path }) => {
    const remote = open(await connectByNet(path), {})
    return { echo: (text) => remote.echo(text) }
  },
})
