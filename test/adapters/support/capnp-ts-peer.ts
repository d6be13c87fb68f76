/** An end of a connection of capnp-ts that calls by name, and serves functions by name. */
import { Client, type Conn } from 'capnp-ts'
import { attachDescriptor, createConn, descriptorOf } from '../../../src/adapters/capnp-ts/index.js'
import type { Descriptor, FrameStream } from '../../../src/stream/index.js'
import { File, Peer, type Slot } from '../fixtures/generated/capnp-ts/peer.js'
import { type PeerOptions, read, written } from './capnp-values.js'

export interface CapnpTsEnd {
  readonly conn: Conn
  call(method: string, ...args: readonly unknown[]): Promise<unknown>
  close(): void
}

export function capnpTsPeer(stream: FrameStream, methods: object, options: PeerOptions = {}): CapnpTsEnd {
  const shared = options.sharesCapabilities === true ? new Map<Descriptor, Client>() : undefined
  const server = new Peer.Server({
    async call(params, results) {
      const method = Object.hasOwn(methods, params.getMethod()) ? Reflect.get(methods, params.getMethod()) : undefined
      if (typeof method !== 'function') throw new Error(`no method ${params.getMethod()}`)
      const args = read(params.getValue(), filesOf(params.getFiles().toArray())) as never[]
      const files: Descriptor[] = []
      const value: unknown = await method(...args)
      results.setValue(written(value, files))
      place(results.initFiles(files.length).toArray(), files, shared)
    },
    async file(params, results) {
      const name = params.getName()
      results.setFile(new File.Server({ name: async (_params, answer) => answer.setName(name) }))
    },
  })
  const conn = createConn(stream, { ...options, main: server })
  const main = conn.bootstrap(Peer)
  return {
    conn,
    async call(method, ...args) {
      const files: Descriptor[] = []
      const results = await main.call((params) => {
        params.setMethod(method)
        params.setValue(written(args, files))
        place(params.initFiles(files.length).toArray(), files, shared)
      })
      return read(results.getValue(), filesOf(results.getFiles().toArray()))
    },
    close: () => conn.close(),
  }
}

/** A capability for each, since it is capabilities that descriptors are attached to. */
function place(slots: readonly Slot[], files: readonly Descriptor[], shared?: Map<Descriptor, Client>): void {
  for (const [i, slot] of slots.entries()) {
    const file = files[i]!
    const client = shared?.get(file) ?? capabilityOf(file)
    shared?.set(file, client)
    slot.setFile(new File.Client(client))
  }
}

function capabilityOf(file: Descriptor): Client {
  const server = new File.Server({ name: () => Promise.resolve() })
  attachDescriptor(server, file)
  return new Client({ server, tag: 'local' })
}

function filesOf(slots: readonly Slot[]): (Descriptor | undefined)[] {
  return slots.map((slot) => descriptorOf(slot.getFile()))
}
