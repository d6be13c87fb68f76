/** Libraries on pillion by its adapters: a way each, of bench/adapters.ts. */
import { createBirpc } from 'birpc'
import { RpcSession, RpcTarget } from 'capnweb'
import * as Comlink from 'comlink'
import { connect, type FrameStream, listen, type StreamOptions } from 'pillion'
import { overStream } from 'pillion/adapters/birpc'
import { stringTransport, structuredTransport } from 'pillion/adapters/capnweb'
import { streamEndpoint } from 'pillion/adapters/comlink'
import { createMessageConnection } from 'pillion/adapters/vscode-jsonrpc'
import { contentLength } from 'pillion/framing'
import { type Caller, makeCalls, type Server } from '../roles/calls.js'
import { settingOf } from '../roles/setting.js'

interface Remote {
  echo(text: string): Promise<string>
}

class Bench extends RpcTarget {
  echo(text: string): string {
    return text
  }
}

const functions = { echo: (text: string) => text }

const ways: Readonly<Record<string, Server>> = {
  'capnweb, pillion': way(
    (stream) => void new RpcSession(structuredTransport(stream), new Bench()),
    (stream) => new RpcSession<Bench>(structuredTransport(stream)).getRemoteMain(),
  ),
  'capnweb, pillion, text': way(
    (stream) => void new RpcSession(stringTransport(stream), new Bench()),
    (stream) => new RpcSession<Bench>(stringTransport(stream)).getRemoteMain(),
  ),
  'birpc, pillion': way(
    (stream) => void overStream(stream, (channel) => createBirpc(functions, channel)),
    (stream) => overStream(stream, (channel) => createBirpc<Remote>({}, channel)),
  ),
  'comlink, pillion': way(
    (stream) => Comlink.expose(functions, streamEndpoint(stream, Comlink)),
    (stream) => Comlink.wrap<typeof functions>(streamEndpoint(stream, Comlink)),
  ),
  'vscode-jsonrpc, pillion': way(serveJsonRpc, callJsonRpc),
  'vscode-jsonrpc, pillion, text': way(serveJsonRpc, callJsonRpc, { codec: contentLength() }),
}

await makeCalls(ways[settingOf(process.argv).contender] as Server)

function serveJsonRpc(stream: FrameStream): void {
  const connection = createMessageConnection(stream)
  connection.onRequest('echo', functions.echo)
  connection.listen()
}

function callJsonRpc(stream: FrameStream): Caller {
  const connection = createMessageConnection(stream)
  connection.listen()
  return { echo: (text) => connection.sendRequest('echo', text) }
}

function way(
  serve: (stream: FrameStream) => void,
  call: (stream: FrameStream) => Caller,
  options: StreamOptions = {},
): Server {
  return {
    listen: async ({ path }) => {
      const server = await listen(path, options)
      server.on('connection', serve)
    },
    connect: async ({ path }) => {
      const remote = call(await connect(path, options))
      return { echo: (text) => remote.echo(text) }
    },
  }
}
