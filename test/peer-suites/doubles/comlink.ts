/**
 * Comlink as its tests import it, and what they connect it with: where they have workers and iframes, there are child
 * processes at the other end of a stream. What is no transport is the library's own.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import * as library from 'comlink'
import { adopt, type Descriptor, pair } from 'pillion'
import { type ComlinkEndpoint, streamEndpoint } from 'pillion/adapters/comlink'
import { pairUnix } from 'pillion/transport'
import { adoptOwned } from '../../../src/transport/descriptor.js'
import { programAt } from '../../support/programs.js'
import { markOverPillion } from '../over-pillion.js'

export * from 'comlink'

export function pillionChannel(): { port1: object; port2: object } {
  markOverPillion()
  const [near, far] = pair()
  return { port1: started(streamEndpoint(near, library)), port2: started(streamEndpoint(far, library)) }
}

/** The tests call a port's `start`; comlink an endpoint's, if it has any. */
function started(endpoint: ComlinkEndpoint): object {
  return Object.assign(endpoint, { start() {} })
}

/** What Comlink.wrap takes of a worker. */
export class Worker {
  readonly #endpoint: ComlinkEndpoint
  readonly #process: ChildProcess

  /** Serves what the tests' files of that name serve. */
  constructor(file: string) {
    markOverPillion()
    const [ours, theirs] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
    const program = programAt(new URL('comlink-child.ts', import.meta.url).pathname)
    const served = file.includes('two-way') ? 'two-way' : 'sum'
    this.#process = spawn(process.execPath, [...program, served], {
      stdio: ['ignore', 'inherit', 'inherit', theirs.fd],
    })
    theirs.close()
    this.#endpoint = streamEndpoint(adopt(ours), library)
  }

  postMessage: ComlinkEndpoint['postMessage'] = (...message) => this.#endpoint.postMessage(...message)

  addEventListener: ComlinkEndpoint['addEventListener'] = (...listener) => this.#endpoint.addEventListener(...listener)

  removeEventListener: ComlinkEndpoint['removeEventListener'] = (...listener) =>
    this.#endpoint.removeEventListener(...listener)

  terminate(): void {
    this.#endpoint.close()
    this.#process.kill()
  }
}

/** node-adapter.mjs: a Worker of Node's as an endpoint. */
export default function nodeEndpoint(worker: Worker): Worker {
  return worker
}

export function windowEndpoint(contentWindow: Worker): Worker {
  return contentWindow
}

/** An iframe's element: its document is a child process. */
class Frame {
  src = ''
  readonly sandbox = { add() {} }
  onload = () => {}
  contentWindow: Worker | undefined

  load(): void {
    this.contentWindow = new Worker(this.src)
    setImmediate(() => this.onload())
  }

  remove(): void {
    this.contentWindow?.terminate()
  }
}

Object.assign(globalThis, {
  Worker,
  document: { createElement: () => new Frame(), body: { appendChild: (frame: Frame) => frame.load() } },
})
