/** An end of a connection of capnp-es that calls by name, and serves functions by name. */
import { attachDescriptor, descriptorOf, FrameConn } from '../../../src/adapters/capnp-es/index.js'
import type { Descriptor, FrameStream } from '../../../src/stream/index.js'
import { File, type File$Client, Peer, type Slot } from '../fixtures/generated/capnp-es/peer.js'
import { type PeerOptions, read, written } from './capnp-values.js'

type Server = InstanceType<typeof File.Server>

export type Methods = Readonly<Record<string, (...args: never[]) => unknown>>

export interface CapnpEnd {
  readonly conn: FrameConn
  call(method: string, ...args: readonly unknown[]): Promise<unknown>
  close(): void
}

export function capnpEsPeer(stream: FrameStream, methods: object, options: PeerOptions = {}): CapnpEnd {
  const { onError, sharesCapabilities } = options
  const shared = sharesCapabilities === true ? new Map<Descriptor, Server>() : undefined
  const conn = new FrameConn(stream, options)
  if (onError !== undefined) conn.onError = (error) => onError(error as Error)
  conn.initMain(Peer, {
    async call(params, results) {
      const method = Object.hasOwn(methods, params.method) ? Reflect.get(methods, params.method) : undefined
      if (typeof method !== 'function') throw new Error(`no method ${params.method}`)
      const args = read(params.value, filesOf(params.files)) as never[]
      const files: Descriptor[] = []
      const value: unknown = await method(...args)
      results.value = written(value, files)
      place(results._initFiles(files.length), files, shared)
    },
    async file(params, results) {
      const { name } = params
      results.file = new File.Server({
        async name(_params, answer) {
          answer.name = name
        },
      }).client()
    },
  })
  const main = conn.bootstrap(Peer)
  return {
    conn,
    async call(method, ...args) {
      const files: Descriptor[] = []
      const results = await main
        .call((params) => {
          params.method = method
          params.value = written(args, files)
          place(params._initFiles(files.length), files, shared)
        })
        .promise()
      return read(results.value, filesOf(results.files))
    },
    close: () => conn.shutdown(),
  }
}

/** A capability for each, since it is capabilities that descriptors are attached to. */
function place(slots: Iterable<Slot>, files: readonly Descriptor[], shared?: Map<Descriptor, Server>): void {
  for (const [i, slot] of [...slots].entries()) {
    const file = files[i]!
    const server = shared?.get(file) ?? new File.Server({ name: () => Promise.resolve() })
    shared?.set(file, server)
    attachDescriptor(server, file)
    slot.file = server.client()
  }
}

function filesOf(slots: Iterable<Slot>): (Descriptor | undefined)[] {
  return [...slots].map(({ file }) => descriptorOf(file as File$Client))
}
