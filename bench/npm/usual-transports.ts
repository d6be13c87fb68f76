/**
 * What libraries with an adapter travel by where pillion is not there: the ways of bench/adapters.ts that need a package of
 * this folder. Another way is another entry.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createBirpc } from 'birpc'
import { newWebSocketRpcSession, RpcTarget } from 'capnweb'
import { WebSocket, WebSocketServer } from 'ws'
import { makeCalls, type Server } from '../roles/calls.js'
import { capnpTs, type WebSocketLike } from '../roles/capnp-echo.js'
import { settingOf } from '../roles/setting.js'

interface Remote {
  echo(text: string): Promise<string>
}

class Bench extends RpcTarget {
  echo(text: string): string {
    return text
  }
}

/** capnweb asks the global class about the state of its own. */
Object.assign(globalThis, { WebSocket })

const ways: Readonly<Record<string, Server>> = {
  'capnweb, WebSocket': {
    listen: ({ path }) =>
      listenByWebSocket(path, (socket) => void newWebSocketRpcSession(asGlobal(socket), new Bench())),
    connect: async ({ path }) => {
      const bench = newWebSocketRpcSession<Bench>(asGlobal(await connectByWebSocket(path)))
      return { echo: (text) => bench.echo(text) }
    },
  },
  'capnp-ts, WebSocket': {
    listen: async ({ path }) => {
      const { Conn, main } = await capnpTs()
      await listenByWebSocket(path, (socket) => void new Conn(asWebSocketLike(socket), { main: main() }))
    },
    connect: async ({ path }) => {
      const { Conn, call } = await capnpTs()
      return call(new Conn(asWebSocketLike(await connectByWebSocket(path))))
    },
  },
  'birpc, WebSocket': {
    listen: ({ path }) => listenByWebSocket(path, (socket) => void openBirpc(socket, { echo: (text: string) => text })),
    connect: async ({ path }) => openBirpc(await connectByWebSocket(path), {}),
  },
}

await makeCalls(ways[settingOf(process.argv).contender] as Server)

/** As birpc's own page shows it, with JSON. */
function openBirpc(socket: WebSocket, functions: object): Remote {
  return createBirpc<Remote, object>(functions, {
    post: (text) => socket.send(text),
    on: (receive) => socket.on('message', receive),
    serialize: (value) => JSON.stringify(value),
    deserialize: (text) => JSON.parse(String(text)),
  }) as Remote
}

async function listenByWebSocket(path: string, onSocket: (socket: WebSocket) => void): Promise<void> {
  const server = createServer()
  new WebSocketServer({ server, perMessageDeflate: false }).on('connection', onSocket)
  server.listen(path)
  await once(server, 'listening')
}

async function connectByWebSocket(path: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws+unix:${path}:/`, { perMessageDeflate: false })
  await once(socket, 'open')
  return socket
}

/** ws has all of it; its types are not there. */
function asWebSocketLike(socket: WebSocket): WebSocketLike {
  return socket as unknown as WebSocketLike
}

function asGlobal(socket: WebSocket): string {
  return socket as unknown as string
}
