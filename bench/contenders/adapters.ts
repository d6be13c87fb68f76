/**
 * Libraries on pillion by its adapters: a way each, of bench/adapters.ts. Each loads its own library alone, as the other
 * contenders do: with all of them in it, a heap is collected whole sooner.
 */
import { connect, type FrameStream, listen, type StreamOptions } from 'pillion'
import { capnp, contentLength } from 'pillion/framing'
import { type Caller, makeCalls } from '../roles/calls.js'
import { capnpEs, capnpTs } from '../roles/capnp-echo.js'
import { settingOf } from '../roles/setting.js'

interface Remote {
  echo(text: string): Promise<string>
}

/** A library's two ends of a stream. */
interface Ends {
  serve(stream: FrameStream): void
  call(stream: FrameStream): Caller
  readonly options?: StreamOptions
}

const functions = { echo: (text: string) => text }

const ways: Readonly<Record<string, () => Promise<Ends>>> = {
  'capnweb, pillion': () => capnweb('structuredTransport'),
  'capnweb, pillion, text': () => capnweb('stringTransport'),
  'birpc, pillion': birpc,
  'capnp-es, pillion': capnpByEs,
  'capnp-ts, pillion': capnpByTs,
  'comlink, pillion': comlink,
  'vscode-jsonrpc, pillion': jsonRpc,
  'vscode-jsonrpc, pillion, text': async () => ({ ...(await jsonRpc()), options: { codec: contentLength() } }),
}

const way = ways[settingOf(process.argv).contender] as () => Promise<Ends>
const { serve, call, options } = await way()

await makeCalls({
  listen: async ({ path }) => {
    const server = await listen(path, options)
    server.on('connection', serve)
  },
  connect: async ({ path }) => {
    const remote = call(await connect(path, options))
    return { echo: (text) => remote.echo(text) }
  },
})

async function capnweb(kind: 'structuredTransport' | 'stringTransport'): Promise<Ends> {
  const { RpcSession, RpcTarget } = await import('capnweb')
  const { [kind]: transport } = await import('pillion/adapters/capnweb')
  class Bench extends RpcTarget {
    echo(text: string): string {
      return text
    }
  }
  return {
    serve: (stream) => void new RpcSession(transport(stream), new Bench()),
    call: (stream) => new RpcSession<Bench>(transport(stream)).getRemoteMain(),
  }
}

async function capnpByEs(): Promise<Ends> {
  const { FrameConn } = await import('pillion/adapters/capnp-es')
  const { serve, call } = await capnpEs()
  return {
    serve: (stream) => serve(new FrameConn(stream)),
    call: (stream) => call(new FrameConn(stream)),
    options: { codec: capnp() },
  }
}

async function capnpByTs(): Promise<Ends> {
  const { createConn } = await import('pillion/adapters/capnp-ts')
  const { main, call } = await capnpTs()
  return {
    serve: (stream) => void createConn(stream, { main: main() }),
    call: (stream) => call(createConn(stream)),
    options: { codec: capnp() },
  }
}

async function birpc(): Promise<Ends> {
  const { createBirpc } = await import('birpc')
  const { overStream } = await import('pillion/adapters/birpc')
  return {
    serve: (stream) => void overStream(stream, (channel) => createBirpc(functions, channel)),
    call: (stream) => overStream(stream, (channel) => createBirpc<Remote>({}, channel)),
  }
}

async function comlink(): Promise<Ends> {
  const Comlink = await import('comlink')
  const { streamEndpoint } = await import('pillion/adapters/comlink')
  return {
    serve: (stream) => Comlink.expose(functions, streamEndpoint(stream, Comlink)),
    call: (stream) => Comlink.wrap<typeof functions>(streamEndpoint(stream, Comlink)),
  }
}

async function jsonRpc(): Promise<Ends> {
  const { createMessageConnection } = await import('pillion/adapters/vscode-jsonrpc')
  return {
    serve: (stream) => {
      const connection = createMessageConnection(stream)
      connection.onRequest('echo', functions.echo)
      connection.listen()
    },
    call: (stream) => {
      const connection = createMessageConnection(stream)
      connection.listen()
      return { echo: (text) => connection.sendRequest('echo', text) }
    },
  }
}
