/**
 * Serves, over the socket that is its descriptor 3, by the library that its first argument names: what tells which descriptors it
 * was given, gives back new ones, counts those that are open, and fills its table of them. Ends when the stream does.
 */
import { closeSync, openSync, readdirSync } from 'node:fs'
import { createBirpc } from 'birpc'
import { RpcSession, RpcTarget } from 'capnweb'
import * as Comlink from 'comlink'
import { overStream } from '../../../src/adapters/birpc/index.js'
import {
  type PassedDescriptor,
  passDescriptor,
  structuredTransport,
  takeDescriptor,
} from '../../../src/adapters/capnweb/index.js'
import { streamEndpoint } from '../../../src/adapters/comlink/index.js'
import { adopt, Descriptor, type FrameStream } from '../../../src/stream/index.js'
import { makeTokens, tokenOf } from '../../support/tokens.js'

const service = {
  /** The arguments' descriptors stay the adapter's, which closes them behind the call. */
  tokensOf: (files: readonly Descriptor[]) => files.map(tokenOf),
  /** New ones with these numbers, the caller's. */
  tokens: (numbers: readonly number[]) => makeTokens(numbers),
  /** Does nothing with what it is given. */
  ignore: (_files: readonly Descriptor[]) => {},
  open: () => readdirSync('/proc/self/fd').length,
  /** Fills the table of descriptors, but for so many places. */
  fill: async (free: number) => {
    // What Node itself has open may still come and go for a while after the start.
    for (let quiet = 0; quiet < 20; quiet++) {
      while (filled()) quiet = 0
      await new Promise(setImmediate)
    }
    for (const fd of fillers.splice(fillers.length - free)) closeSync(fd)
  },
  empty: () => {
    for (const fd of fillers.splice(0)) closeSync(fd)
  },
}

const fillers: number[] = []

function filled(): boolean {
  try {
    return fillers.push(openSync('/dev/null', 'r')) > 0
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EMFILE') throw error
    return false
  }
}

export type Service = typeof service

class Served extends RpcTarget {
  tokensOf(files: readonly PassedDescriptor[]): number[] {
    const taken: Descriptor[] = []
    try {
      for (const file of files) taken.push(takeDescriptor(file))
      return taken.map(tokenOf)
    } finally {
      for (const file of taken) file.close()
    }
  }

  tokens(numbers: readonly number[]): PassedDescriptor[] {
    return makeTokens(numbers).map((file) => passDescriptor(file, { transfer: true }))
  }

  ignore(_files: readonly PassedDescriptor[]): void {}

  open(): number {
    return service.open()
  }

  fill(free: number): Promise<void> {
    return service.fill(free)
  }

  empty(): void {
    service.empty()
  }
}

export type CapnwebService = Served

const libraries: Readonly<Record<string, (stream: FrameStream) => void>> = {
  birpc: (stream) => void overStream(stream, (channel) => createBirpc(service, channel)),
  capnweb: (stream) => void new RpcSession(structuredTransport(stream), new Served()),
  comlink: (stream) => Comlink.expose(service, streamEndpoint(stream, Comlink)),
}

libraries[process.argv[2] as string]?.(adopt(Descriptor.own(3), { descriptorHeadroom: Number(process.argv[3]) }))
