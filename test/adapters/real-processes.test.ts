/** A thousand descriptors through the calls of each library, there and back between two processes, none lost or left open. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createBirpc } from 'birpc'
import { RpcSession, type RpcStub } from 'capnweb'
import * as Comlink from 'comlink'
import { describe, expect, it, onTestFinished } from 'vitest'
import { overStream } from '../../src/adapters/birpc/index.js'
import { passDescriptor, structuredTransport, takeDescriptor } from '../../src/adapters/capnweb/index.js'
import { streamEndpoint } from '../../src/adapters/comlink/index.js'
import { adopt, type Descriptor, type FrameStream } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { programAt } from '../support/programs.js'
import { closeAll, makeTokens, tokenOf } from '../support/tokens.js'
import type { CapnwebService, Service } from './children/served.js'

/** What each library is used for here, in its own way. */
interface Caller {
  tokensOf(files: readonly Descriptor[]): PromiseLike<number[]>
  /** The descriptors are the caller's. */
  tokens(numbers: readonly number[]): PromiseLike<readonly Descriptor[]>
  ignore(files: readonly Descriptor[]): PromiseLike<unknown>
  open(): PromiseLike<number>
  fill(free: number): PromiseLike<unknown>
  empty(): PromiseLike<unknown>
  close(): void
}

type Asynchronous = {
  [Name in keyof Service]: (...args: Parameters<Service[Name]>) => Promise<ReturnType<Service[Name]>>
}

const libraries: Readonly<Record<string, (stream: FrameStream) => Caller>> = {
  birpc(stream) {
    const rpc = overStream(stream, (channel) => createBirpc<Asynchronous>({}, channel))
    return {
      tokensOf: (files) => rpc.tokensOf(files),
      tokens: (numbers) => rpc.tokens(numbers),
      ignore: (files) => rpc.ignore(files),
      open: () => rpc.open(),
      fill: (free) => rpc.fill(free),
      empty: () => rpc.empty(),
      close: () => rpc.$close(),
    }
  },
  capnweb(stream) {
    const main: RpcStub<CapnwebService> = new RpcSession<CapnwebService>(structuredTransport(stream)).getRemoteMain()
    return {
      tokensOf: (files) => main.tokensOf(files.map((file) => passDescriptor(file))),
      tokens: async (numbers) => (await main.tokens(numbers)).map(takeDescriptor),
      ignore: (files) => main.ignore(files.map((file) => passDescriptor(file))),
      open: () => main.open(),
      fill: (free) => main.fill(free),
      empty: () => main.empty(),
      close: () => main[Symbol.dispose](),
    }
  },
  comlink(stream) {
    const endpoint = streamEndpoint(stream, Comlink)
    const remote = Comlink.wrap<Service>(endpoint)
    return {
      tokensOf: (files) => remote.tokensOf(files),
      tokens: (numbers) => remote.tokens(numbers),
      ignore: (files) => remote.ignore(files),
      open: () => remote.open(),
      fill: (free) => remote.fill(free),
      empty: () => remote.empty(),
      close: () => endpoint.close(),
    }
  },
}

describe.each(Object.keys(libraries))('%s between two processes', (library) => {
  it('passes a thousand descriptors in arguments, each to its own place', async () => {
    const api = served(library)
    await api.open() // what the child loads lazily is loaded
    const before = await api.open()
    const calls: Promise<void>[] = []
    let passed = 0
    for (let size = 0; passed < 1000; size = (size + 7) % 30) {
      const numbers = range(passed, Math.min(size, 1000 - passed))
      passed += numbers.length
      const files = makeTokens(numbers)
      calls.push(sent(api.tokensOf(files), numbers))
      closeAll(files) // they travel as duplicates
    }
    await Promise.all(calls)

    expect(passed).toBe(1000)
    expect(await api.open()).toBeLessThanOrEqual(before) // Node may have closed one of its own
  })

  it('passes a thousand descriptors in results, each to its own place', async () => {
    const api = served(library)
    await api.open()
    const before = await api.open()
    const lists = Array.from({ length: 50 }, (_, i) => range(i * 20, 20))
    const results = await Promise.all(lists.map(async (list) => await api.tokens(list)))
    for (const [i, files] of results.entries()) {
      expect(files.map(tokenOf)).toEqual(lists[i])
      closeAll(files)
    }

    expect(results.flat()).toHaveLength(1000)
    expect(await api.open()).toBeLessThanOrEqual(before) // Node may have closed one of its own
  })

  it('closes a thousand that their receiver does nothing with', async () => {
    const api = served(library)
    await api.open()
    const before = await api.open()
    for (let i = 0; i < 100; i++) {
      const files = makeTokens(range(0, 10))
      await api.ignore(files)
      closeAll(files)
    }
    expect(await api.open()).toBeLessThanOrEqual(before) // Node may have closed one of its own
  })

  it('fails the call alone whose descriptors found the table full', async () => {
    const api = served(library, 'crowded')
    const files = makeTokens(range(0, 20))
    await api.fill(5)
    const short = Promise.resolve(api.tokensOf(files))
    const none = Promise.resolve(api.tokensOf([]))

    await expect(short).rejects.toMatchObject(lost)
    expect(await none).toEqual([])
    expect(await api.tokensOf(files.slice(0, 4))).toEqual(range(0, 4)) // what came was closed
    await api.empty()
    expect(await api.tokensOf(files)).toEqual(range(0, 20))
    closeAll(files)
  })
})

const lost = { code: 'ERR_PILLION_DESCRIPTOR_LOST' }
/** Ends with the test, and has to exit properly then. */
function served(library: string, crowded?: 'crowded'): Caller {
  const [ours, theirs] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
  const script = fileURLToPath(new URL('children/served.ts', import.meta.url))
  // One whose table can be filled keeps no places free, and loses what finds none.
  const [limit, headroom] = crowded === undefined ? [4096, '16'] : [128, '0']
  const command = [
    '-c',
    `ulimit -n ${limit}; exec "$@"`,
    'sh',
    process.execPath,
    ...programAt(script),
    library,
    headroom,
  ]
  const child = spawn('/bin/sh', command, {
    stdio: ['ignore', 'inherit', 'inherit', theirs.fd],
  })
  theirs.close()
  const exited = once(child, 'exit')
  const api = (libraries[library] as (stream: FrameStream) => Caller)(adopt(ours))
  onTestFinished(async () => {
    api.close()
    expect(await exited).toEqual([0, null])
  })
  return api
}

async function sent(answer: PromiseLike<number[]>, numbers: readonly number[]): Promise<void> {
  expect(await answer).toEqual(numbers)
}

function range(first: number, length: number): number[] {
  return Array.from({ length }, (_, i) => first + i)
}
