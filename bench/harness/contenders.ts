/**
 * The contenders by name: what each runs as, and how its two ends come to be.
 */
import type { Setting } from '../roles/setting.js'
import { binaryOf, type Need, scriptOf } from './programs.js'

export interface Contender {
  readonly needs: Need
  /** `pair`: a server, then a client; `forks`: the client starts its server; `alone`: both ends are in one process. */
  readonly layout: 'pair' | 'forks' | 'alone'
  command(setting: Setting): string[]
}

export const contenders: Readonly<Record<string, Contender>> = {
  'c-epoll': sockets('epoll'),
  'c-blocking': sockets('blocking'),
  'c-recvmmsg': sockets('recvmmsg'),
  'capnp-c++': {
    needs: 'capnp',
    layout: 'pair',
    command: ({ role, pattern, path }) => [binaryOf('capnp_rpc'), role, pattern === 'ping' ? 'swap' : pattern, path],
  },
  'net-naive': script('node', 'net-naive'),
  'net-corked': script('node', 'net-corked'),
  'net-onread': script('node', 'net-onread'),
  'net-into': script('node', 'net-onread'),
  usocket: script('npm', 'usocket'),
  'usocket-window': script('npm', 'usocket'),
  'child-json': script('node', 'child-process', 'forks'),
  'child-advanced': script('node', 'child-process', 'forks'),
  'child-handle': script('node', 'child-process', 'forks'),
  birpc: script('npm', 'birpc'),
  capnweb: script('npm', 'capnweb'),
  'vscode-jsonrpc': script('npm', 'vscode-jsonrpc'),
  'grpc-js': script('npm', 'grpc-js'),
  comlink: script('npm', 'comlink', 'alone'),
  'capnp-ts, WebSocket': script('npm', 'usual-transports'),
  'capnweb, WebSocket': script('npm', 'usual-transports'),
  'birpc, WebSocket': script('npm', 'usual-transports'),
  'capnweb, pillion': script('node', 'adapters'),
  'capnweb, pillion, text': script('node', 'adapters'),
  'birpc, pillion': script('node', 'adapters'),
  'capnp-es, pillion': script('node', 'adapters'),
  'capnp-ts, pillion': script('node', 'adapters'),
  'comlink, pillion': script('node', 'adapters'),
  'vscode-jsonrpc, pillion': script('node', 'adapters'),
  'vscode-jsonrpc, pillion, text': script('node', 'adapters'),
  pillion: pillion(),
  'pillion-event': pillion(),
  'pillion-for-await': pillion(),
  'pillion-busy': pillion(),
}

function script(needs: 'node' | 'npm', name: string, layout: Contender['layout'] = 'pair'): Contender {
  return { needs, layout, command: (setting) => nodeCommand(scriptOf(needs, name), setting) }
}

function pillion(): Contender {
  return {
    needs: 'node',
    layout: 'pair',
    command: (setting) => nodeCommand(scriptOf('node', makesCalls(setting) ? 'pillion-rpc' : 'pillion'), setting),
  }
}

function makesCalls({ pattern }: Setting): boolean {
  return pattern === 'echo' || pattern === 'flight' || pattern === 'chain'
}

function nodeCommand(file: string, setting: Setting): string[] {
  const flags = setting.pattern === 'idle' ? ['--expose-gc'] : []
  return [process.execPath, ...flags, file, JSON.stringify(setting)]
}

function sockets(mode: string): Contender {
  return {
    needs: 'sockets',
    layout: 'pair',
    command: ({ role, pattern, path, payload, descriptors }) =>
      [binaryOf('sockets'), mode, role, pattern, path, payload, descriptors].map(String),
  }
}
