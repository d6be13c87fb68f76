/** comlink over a MessagePort: the other end is a thread of the same process, and nothing crosses a socket. */
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { expose, wrap } from 'comlink'
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs'
import { makeCalls } from '../roles/calls.js'

interface Functions {
  echo(text: string): string
}

const functions: Functions = { echo: (text) => text }

if (isMainThread) {
  await makeCalls({
    listen: () => Promise.reject(new Error('comlink has no server process')),
    connect: async () => {
      const remote = wrap<Functions>(nodeEndpoint(new Worker(fileURLToPath(import.meta.url))))
      return { echo: (text) => remote.echo(text) }
    },
  })
} else {
  expose(functions, nodeEndpoint(parentPort))
}
