/** listen and connect: connections as streams, by event or by iteration, and whom the server lets in. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import {
  ClosedError,
  connect,
  type FrameStream,
  type ListenOptions,
  listen,
  type Peer,
  type Server,
  SystemError,
  UsageError,
} from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { binding } from '../../src/transport/native.js'
import {
  destroyedAfterTest,
  named,
  namesOf,
  readinesses,
  take,
  takeAll,
  text,
  turns,
  until,
} from '../support/streams.js'
import { startChild } from '../transport/children/run.js'

let path = ''
beforeEach(() => {
  const directory = mkdtempSync('/tmp/pillion-server-')
  path = `${directory}/s`
  onTestFinished(() => rmSync(directory, { recursive: true }))
})

async function serve(options: ListenOptions = {}): Promise<Server> {
  const server = await listen(path, options)
  onTestFinished(() => server.close())
  return server
}

const client = async () => destroyedAfterTest(await connect(path))

describe.each(readinesses)('with readiness %s', (readiness) => {
  test('connections are streams with the server’s options, each way', async () => {
    const server = await serve({ readiness, maxPayload: 100 })
    const echo = async (stream: FrameStream) => {
      for await (const frame of stream) stream.send(frame.payload, frame.descriptors, { transfer: true })
      await stream.end()
    }
    const refusals: unknown[] = []
    server.on('connection', (stream) => {
      echo(destroyedAfterTest(stream)).catch((error) => refusals.push(error))
    })
    const clients = await Promise.all(Array.from({ length: 20 }, client))
    for (const [i, stream] of clients.entries()) stream.send(Buffer.from(String(i)), [named(i)], { transfer: true })
    for (const [i, stream] of clients.entries()) {
      void stream.end()
      const frames = await takeAll(stream)
      expect(frames.map((frame) => [text(frame.payload), namesOf(frame)])).toEqual([[String(i), [String(i)]]])
      await stream.closed
    }

    const stranger = await client()
    stranger.send(Buffer.alloc(101))
    await until(() => refusals.length > 0)
    expect(refusals).toEqual([expect.objectContaining({ code: 'ERR_PILLION_FRAME_TOO_LARGE', limit: 100 })])
  })
})

test('by iteration: one at a time as asked for, the others wait in the backlog', async () => {
  const server = await serve()
  const clients = [await client(), await client(), await client()]
  const streams = server[Symbol.asyncIterator]()
  const first = destroyedAfterTest((await streams.next()).value as FrameStream)
  await turns()
  first.send(Buffer.from('hello'))
  expect(text((await take(clients[0] as FrameStream, 1))[0]!.payload)).toBe('hello')
  const rest = await Promise.all([streams.next(), streams.next()])
  for (const { value } of rest) destroyedAfterTest(value as FrameStream)

  const waiting = streams.next()
  await server.close()
  expect(await waiting).toEqual({ value: undefined, done: true })
  expect(await streams.next()).toEqual({ value: undefined, done: true })
})

test('leaving the loop closes the server, and destroys nothing that was handed out', async () => {
  const server = await serve()
  const connected = client()
  let handedOut: FrameStream | undefined
  for await (const stream of server) {
    handedOut = destroyedAfterTest(stream)
    break
  }
  expect(server.closed).toBe(true)
  expect(handedOut?.destroyed).toBe(false)
  expect(existsSync(path)).toBe(false)
  ;(await connected).send(Buffer.from('still'))
  expect(text((await take(handedOut as FrameStream, 1))[0]!.payload)).toBe('still')
})

describe('a connection that nobody listens for waits in the backlog', () => {
  const nextOf = (server: Server) =>
    new Promise<FrameStream>((resolve) => server.once('connection', (stream) => resolve(destroyedAfterTest(stream))))

  /** Three clients, whose first frame says which one they are. */
  async function clients(): Promise<void> {
    for (const name of ['first', 'second', 'third']) (await client()).send(Buffer.from(name))
  }
  const nameOf = async (stream: FrameStream) => text((await take(stream, 1))[0]!.payload)

  test('behind one that was taken by `once`, until the next `once`', async () => {
    const server = await serve()
    const first = nextOf(server)
    await clients()
    expect(await nameOf(await first)).toBe('first')
    await turns()
    expect(await nameOf(await nextOf(server))).toBe('second')
    expect(await nameOf(await nextOf(server))).toBe('third')
  })

  test('until another listener comes, added by the one before', async () => {
    const server = await serve()
    const names: Promise<string>[] = []
    const take = (stream: FrameStream) => {
      names.push(nameOf(destroyedAfterTest(stream)))
      if (names.length < 3) server.once('connection', take)
    }
    server.once('connection', take)
    await clients()
    await until(() => names.length === 3)
    expect(await Promise.all(names)).toEqual(['first', 'second', 'third'])
  })

  test('until somebody iterates', async () => {
    const server = await serve()
    const first = nextOf(server)
    await clients()
    await first
    await turns()
    const names: string[] = []
    for await (const stream of server) {
      names.push(await nameOf(destroyedAfterTest(stream)))
      if (names.length === 2) break
    }
    expect(names).toEqual(['second', 'third'])
  })

  test.each(['off', 'removeListener', 'removeAllListeners'] as const)('after `%s`', async (method) => {
    const server = await serve()
    const seen: FrameStream[] = []
    const listener = (stream: FrameStream) => void seen.push(destroyedAfterTest(stream))
    server.on('connection', listener)
    if (method === 'removeAllListeners') server.removeAllListeners()
    else server[method]('connection', listener)
    await clients()
    await turns()
    expect(seen).toEqual([])
    server.on('connection', listener)
    await until(() => seen.length === 3)
  })

  test('and does not keep the server from closing', async () => {
    const server = await serve()
    const first = nextOf(server)
    await clients()
    await first
    await server.close()
    server.removeAllListeners()
    expect(() => server.on('connection', () => {})).toThrow(ClosedError)
  })
})

test('has one way of taking connections', async () => {
  const byEvent = await serve()
  byEvent.on('connection', (stream) => destroyedAfterTest(stream))
  byEvent.on('connection', () => {}) // a further listener is no further way
  expect(() => byEvent[Symbol.asyncIterator]()).toThrow(UsageError)
  await byEvent.close()

  const iterated = await serve()
  iterated[Symbol.asyncIterator]()
  expect(() => iterated.on('connection', () => {})).toThrow(UsageError)
  expect(() => iterated.once('connection', () => {})).toThrow(UsageError)
  expect(() => iterated[Symbol.asyncIterator]()).toThrow(UsageError)
  expect(iterated.listenerCount('connection')).toBe(0)
})

test('close is told of once, may be called again, and takes no consumer afterwards', async () => {
  const server = await serve()
  let closes = 0
  server.on('close', () => closes++)
  await Promise.all([server.close(), server.close()])
  await server[Symbol.asyncDispose]()
  expect([closes, server.closed, existsSync(path)]).toEqual([1, true, false])
  expect(() => server.on('connection', () => {})).toThrow(ClosedError)
  expect(() => server[Symbol.asyncIterator]()).toThrow(ClosedError)
  await expect(connect(path)).rejects.toMatchObject({ constructor: SystemError, code: 'ENOENT', address: path })
})

test('close in a `connection` listener leaves the rest of the backlog unserved', async () => {
  const server = await serve()
  const clients = [await client(), await client()]
  let served = 0
  server.on('connection', (stream) => {
    served++
    destroyedAfterTest(stream)
    void server.close()
  })
  await until(() => server.closed)
  await turns()
  expect(served).toBe(1)
  // Whom nobody accepted sees a reset or an end, not silence.
  await takeAll(clients[1] as FrameStream).catch((error) => expect(error).toMatchObject({ code: 'ECONNRESET' }))
})

test('an address in use is refused; after close it is free', async () => {
  const server = await serve()
  await expect(listen(path)).rejects.toMatchObject({ code: 'EADDRINUSE', address: path })
  await server.close()
  await using again = await listen(path)
  expect(again.address).toBe(path)
})

test('options that can never work are said before anything is bound', async () => {
  await expect(listen(path, { highWaterMark: 0 })).rejects.toBeInstanceOf(UsageError)
  await expect(listen(path, { readiness: 'x' as 'level' })).rejects.toBeInstanceOf(UsageError)
  expect(existsSync(path)).toBe(false)
  await expect(connect(path, { maxDescriptors: 2000 })).rejects.toBeInstanceOf(UsageError)
})

describe('authorize', () => {
  test('sees the peer before anything of it is read, and closes whom it refuses', async () => {
    const peers: Peer[] = []
    const server = await serve({ authorize: (peer) => peers.push(peer) > 1 })
    const refused: Peer[] = []
    server.on('refused', (peer) => refused.push(peer))
    server.on('connection', (stream) => destroyedAfterTest(stream).send(Buffer.from('welcome')))
    const first = await client()
    expect(await takeAll(first)).toEqual([])
    const second = await client()
    expect(text((await take(second, 1))[0]!.payload)).toBe('welcome')
    expect(peers.map(({ pid, uid }) => [pid, uid])).toEqual(Array(2).fill([process.pid, process.geteuid?.()]))
    expect(refused).toEqual([peers[0]])
  })

  test('that throws refuses, and its error is told', async () => {
    const why = new Error('why')
    const server = await serve({
      authorize: () => {
        throw why
      },
    })
    const errors: unknown[] = []
    server.on('refused', (_peer, error) => errors.push(error))
    server.on('connection', () => expect.unreachable())
    expect(await takeAll(await client())).toEqual([])
    expect(errors).toEqual([why])
  })
})

test('a full descriptor table is waited out: `pressure`, then every connection', async () => {
  const child = startChild('../../stream/children/crowded-server.ts', [path], { limit: 64 })
  expect(await child.answer()).toBe('listening')
  const clients = await Promise.all(Array.from({ length: 3 }, client))
  expect(await child.answer()).toBe('EMFILE')
  child.tell('make room')
  for (const stream of clients) expect(text((await take(stream, 1))[0]!.payload)).toBe('welcome')
  for (const stream of clients) stream.destroy()
  expect(await child.end()).toBe(0)
})

test.each(['path', 'abstract name'])(
  'a server on an inherited socket, bound to a %s, has an address to connect to',
  async (kind) => {
    const name = kind === 'path' ? path : `@pillion-inherited-${process.pid}`
    const socket = binding.bindSocket(new TextEncoder().encode(name.replace('@', '\0')), 0o600)
    binding.listenSocket(socket, 10)
    const server = await listen({ fd: adoptOwned(socket) })
    onTestFinished(() => server.close())
    expect(server.address).toBe(name)
    server.on('connection', (stream) => destroyedAfterTest(stream).send(Buffer.from('hello')))
    const stream = destroyedAfterTest(await connect(server.address))
    expect(text((await take(stream, 1))[0]!.payload)).toBe('hello')
  },
)

test('a server on an inherited socket whose path is no text has the address that it was given', async () => {
  const bytes = Buffer.concat([Buffer.from(`${path}-`), Buffer.from([0xff])])
  const socket = binding.bindSocket(bytes, 0o600)
  binding.listenSocket(socket, 10)
  const fd = adoptOwned(socket)
  const server = await listen({ fd })
  onTestFinished(() => server.close())
  expect(server.address).toEqual({ fd })
})

test.each(readinesses)(
  'thousands connect at once and wait for the backlog, each has its own frames (%s)',
  async (readiness) => {
    const child = startChild('../../stream/children/many-connections.ts', [path, '1500', readiness], { limit: 4000 })
    onTestFinished(() => void child.process.kill('SIGKILL'))
    expect(await child.answer()).toEqual({ connected: 1500, failures: [], owned: 0 })
    expect(await child.end()).toBe(0)
  },
)

describe('detach', () => {
  test('gives the listening socket away: the file stays, and who connects meanwhile is served by the next', async () => {
    const first = await listen(path)
    first.on('connection', destroyedAfterTest)
    const socket = first.detach()
    expect([first.closed, existsSync(path)]).toEqual([true, true])
    const waiting = await client()
    waiting.send(Buffer.from('meanwhile'))

    const second = await listen({ fd: socket })
    onTestFinished(() => second.close())
    const connections = second[Symbol.asyncIterator]()
    const { value: stream } = await connections.next()
    expect((await take(destroyedAfterTest(stream!), 1)).map(({ payload }) => text(payload))).toEqual(['meanwhile'])
    await first.close()
    expect(existsSync(path)).toBe(true)
  })

  test('ends the iteration behind the streams that were accepted, and throws once closed', async () => {
    const server = await serve()
    const connections = server[Symbol.asyncIterator]()
    await Promise.all([client(), client()])
    const { value: taken } = await connections.next()
    destroyedAfterTest(taken!)
    const asked = connections.next()
    await asked.then(({ value }) => destroyedAfterTest(value!))
    const next = connections.next()
    server.detach().close()

    expect(await next).toEqual({ value: undefined, done: true })
    expect(() => server.detach()).toThrow(ClosedError)
  })
})
