/** A server of @grpc/grpc-js on a listener's connections, with its real clients at the socket file, some in another process. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { peerOf, serveConnections } from '../../src/adapters/grpc-js/index.js'
import { connect, Descriptor, type ListenOptions, listen, type Peer, pair } from '../../src/stream/index.js'
import { programAt } from '../support/programs.js'
import { temporaryFolder } from './support/folder.js'
import { ask, clientOf, service, type TestClient } from './support/grpc-service.js'

const run = promisify(execFile)

type Unary = (call: ServerUnaryCall<unknown, unknown>, done: sendUnaryData<unknown>) => void

describe('a grpc server on a listener of pillion’s', () => {
  it('answers calls, whose handlers know who makes them', async () => {
    const { client } = await served()
    const { pid, uid, gid, groups, name } = (await ask(client, 'whoAmI')) as Record<string, unknown>
    expect({ pid, uid, gid }).toEqual({ pid: process.pid, uid: process.geteuid?.(), gid: process.getegid?.() })
    const [, ours = ''] = /^Groups:(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    expect(groups).toEqual(ours.split(/\s/).filter(Boolean).map(Number))
    expect(name).toMatch(new RegExp(`^unix:pid=${process.pid},uid=\\d+,gid=\\d+,connection=\\d+$`))
  })

  it('answers a client in another process, under that one’s pid', async () => {
    const { path } = await served()
    const program = fileURLToPath(new URL('children/grpc-client.ts', import.meta.url))
    const running = run(process.execPath, [...programAt(program), path])
    const { who, sum } = JSON.parse((await running).stdout)
    expect({ pid: who.pid, sum }).toEqual({ pid: running.child.pid, sum: 5050 })
  })

  it('streams from the server, from the client, and both ways at once', async () => {
    const { client } = await served()
    const counted: number[] = []
    for await (const number of client.count(1000)) counted.push(number)

    const doubling = client.double()
    const doubled: number[] = []
    doubling.on('data', (number: number) => {
      doubled.push(number)
      if (number < 1000) doubling.write(number)
      else doubling.end()
    })
    doubling.write(1)
    await once(doubling, 'end')

    expect(counted).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(doubled).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])
  })

  it('carries large messages under back-pressure', async () => {
    const { client } = await served()
    const text = 'x'.repeat(3_000_000)
    expect(await ask(client, 'echo', { text })).toEqual({ text })
  })

  it('answers a hundred calls at once, on ten connections', async () => {
    const { path, connections } = await served()
    const clients = Array.from({ length: 10 }, () => openClient(path))
    const calls = Array.from({ length: 100 }, (_, i) => ask(clients[i % 10] as TestClient, 'echo', { i }))
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 100 }, (_, i) => ({ i })))
    expect(connections.size).toBe(10)

    const names = await Promise.all(clients.map(async (client) => ((await ask(client, 'whoAmI')) as Known).name))
    expect(new Set(names).size).toBe(10)
  })

  it('serves nobody whom the listener’s authorize refuses', async () => {
    const asked: Peer[] = []
    const { client, server, listener } = await served({
      authorize: (peer) => {
        asked.push(peer)
        return false
      },
    })
    const refused = new Promise<Peer>((resolve) => void listener.once('refused', resolve))
    await expect(ask(client, 'echo')).rejects.toMatchObject({ code: status.UNAVAILABLE })
    expect((await refused).pid).toBe(process.pid)
    expect(asked[0]?.uid).toBe(process.geteuid?.())
    expect(server.handled).toBe(0)
  })

  it('forgets a connection when its client goes', async () => {
    const { client, connections } = await served()
    await ask(client, 'echo')
    expect(connections.size).toBe(1)
    client.close()
    await expect.poll(() => connections.size).toBe(0)
  })
})

describe('close', () => {
  it('lets calls end that run, and takes no others', async () => {
    const { client, connections, server, path } = await served()
    const held = server.hold()
    const answer = ask(client, 'echo', { held: true })
    await held.begun
    const closed = connections.close()
    const late = openClient(path)
    await expect(ask(late, 'echo')).rejects.toMatchObject({ code: status.UNAVAILABLE })
    expect(connections.size).toBe(1)

    held.go()
    expect(await answer).toEqual({ held: true })
    await closed
    expect(connections.size).toBe(0)
  })

  it('cuts off what runs when the drain is over, also when told so later', async () => {
    const { client, connections, server } = await served()
    const held = server.hold()
    const answer = ask(client, 'echo')
    await held.begun
    const patient = connections.close({ drain: 60_000 })
    const hurried = connections.close({ drain: 0 })
    await expect(answer).rejects.toMatchObject({ code: status.CANCELLED })
    await Promise.all([patient, hurried])
  })

  it.each([0, 50])('cuts off a client that neither reads nor goes, behind a drain of %s ms', async (drain) => {
    const { connections, path } = await served()
    const silent = createConnection(path).pause()
    onTestFinished(() => void silent.destroy())
    await expect.poll(() => connections.size).toBe(1)
    await connections.close({ drain })
    expect(connections.size).toBe(0)
  })

  it('leaves the grpc server to its other listeners, and to its own shutdown', async () => {
    const { connections, server } = await served()
    const path = `${temporaryFolder()}/other`
    const other = serveConnections(await listen(path), server.grpc)
    await connections.close()
    const client = openClient(path)
    expect(await ask(client, 'echo', { still: 'there' })).toEqual({ still: 'there' })
    await other.close()
    await new Promise<void>((resolve, reject) => {
      server.grpc.tryShutdown((error) => (error === undefined ? resolve() : reject(error)))
    })
  })

  it('takes a number of milliseconds', async () => {
    const { connections } = await served()
    for (const drain of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(connections.close({ drain })).rejects.toMatchObject({ code: 'ERR_PILLION_USAGE' })
    }
  })
})

describe('add', () => {
  it('serves a connection that was accepted elsewhere', async () => {
    const { connections } = await served()
    const path = `${temporaryFolder()}/elsewhere`
    const elsewhere = await listen(path)
    const client = openClient(path)
    const answer = ask(client, 'whoAmI')
    for await (const stream of elsewhere) {
      await stream.stopReceiving()
      const { socket } = stream.detach()
      connections.add(socket)
      expect(socket.closed).toBe(true)
      break
    }
    expect(await answer).toMatchObject({ pid: process.pid })
  })

  it('refuses what is no connected Unix stream, and leaves it the caller’s', async () => {
    const { connections } = await served()
    using file = Descriptor.memfd(1)
    expect(() => connections.add(file)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }))
    const [left, right] = pair({ type: 'seqpacket' })
    await left.stopReceiving()
    using messages = left.detach().socket
    expect(() => connections.add(messages)).toThrow(/connected Unix stream/)
    expect([file.closed, messages.closed]).toEqual([false, false])
    right.destroy()

    await connections.close()
    expect(() => connections.add(file)).toThrow(expect.objectContaining({ code: 'ERR_PILLION_CLOSED' }))
  })

  it('warns of a listener whose connections are messages', async () => {
    const { path } = await served({ type: 'seqpacket' })
    const warned = once(process, 'warning')
    await using stream = await connect(path, { type: 'seqpacket' }) // its own direction stays open at the peer's end
    expect((await warned)[0]).toMatchObject({ message: expect.stringContaining('connected Unix stream') })
    for await (const _ of stream) expect.unreachable('it is closed at once')
  })
})

describe('peerOf', () => {
  it('is a ClosedError once the connection is gone, also about the Peer itself', async () => {
    const { client, server, connections } = await served()
    const held = server.hold()
    const answer = ask(client, 'echo')
    const call = await held.begun
    const peer = peerOf(call)
    const cancelled = once(call, 'cancelled')
    const closed = connections.close({ drain: 0 })
    await expect(answer).rejects.toMatchObject({ code: status.CANCELLED })
    await Promise.all([cancelled, closed])

    expect(() => peerOf(call)).toThrow(expect.objectContaining({ code: 'ERR_PILLION_CLOSED' }))
    expect(peer.pid).toBe(process.pid)
    expect(() => peer.groups).toThrow(expect.objectContaining({ code: 'ERR_PILLION_CLOSED' }))
  })

  it('is a UsageError for a call over TCP', async () => {
    const { server } = await served()
    const port = await new Promise<number>((resolve, reject) => {
      const bound = (error: Error | null, port: number) => (error === null ? resolve(port) : reject(error))
      server.grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), bound)
    })
    const Client = makeGenericClientConstructor(service, 'Test')
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure()) as unknown as TestClient
    onTestFinished(() => client.close())
    await expect(ask(client, 'whoAmI')).rejects.toMatchObject({
      details: expect.stringMatching(/^the call of 127\.0\.0\.1:\d+ did not come by a listener of pillion's$/),
    })
  })
})

describe('descriptors', () => {
  it('fail the call whose request has one, with its place, and stay the caller’s', async () => {
    const { client, server } = await served()
    using file = Descriptor.memfd(1)
    await expect(ask(client, 'echo', { files: [{ file }] })).rejects.toMatchObject({
      code: status.INTERNAL,
      details: expect.stringContaining('request.files.0.file: gRPC carries no descriptors'),
    })
    expect([file.closed, server.handled]).toEqual([false, 0])
  })

  it('fail the call whose answer has one', async () => {
    const { client, server } = await served()
    using file = Descriptor.memfd(1)
    const held = server.hold({ file })
    const answer = ask(client, 'echo')
    await held.begun
    held.go()
    await expect(answer).rejects.toMatchObject({
      code: status.INTERNAL,
      details: expect.stringContaining('Error serializing response'), // the library keeps the place to itself
    })
    expect(file.closed).toBe(false)
  })
})

it('takes a listener and a grpc server, and says so of anything else', async () => {
  const listener = await listen(`${temporaryFolder()}/socket`)
  expect(() => serveConnections({} as never, new Server())).toThrow(/detach of a listener/)
  expect(() => serveConnections(listener, {} as never)).toThrow(/grpc server/)
  await serveConnections(listener, new Server()).close()
})

interface Known {
  readonly name: string
}

/** The service of support/grpc-service.ts, a call of which can be held. */
class TestServer {
  readonly grpc = new Server()
  /** How many calls of `echo` and `whoAmI` there were. */
  handled = 0
  #held: { answer: unknown; begin(call: ServerUnaryCall<unknown, unknown>): void; going: Promise<void> } | undefined

  constructor() {
    const echo: Unary = async (call, done) => {
      this.handled++
      const held = this.#held
      this.#held = undefined
      held?.begin(call)
      await held?.going
      done(null, held?.answer ?? call.request)
    }
    const whoAmI: Unary = (call, done) => {
      this.handled++
      try {
        const { pid, uid, gid, groups } = peerOf(call)
        done(null, { pid, uid, gid, groups, name: call.getPeer() })
      } catch (error) {
        done(error as Error)
      }
    }
    this.grpc.addService(service, {
      echo,
      whoAmI,
      count: (call: ServerWritableStream<number, number>) => {
        for (let i = 0; i < call.request; i++) call.write(i)
        call.end()
      },
      sum: async (call: ServerReadableStream<number, number>, done: sendUnaryData<number>) => {
        let sum = 0
        for await (const number of call) sum += number
        done(null, sum)
      },
      double: (call: ServerDuplexStream<number, number>) => {
        call.on('data', (number: number) => call.write(2 * number))
        call.on('end', () => call.end())
      },
    })
  }

  /** The next `echo` waits for `go`, and is answered with this, or what it was asked. */
  hold(answer?: unknown) {
    let go: () => void = () => {}
    const going = new Promise<void>((resolve) => {
      go = resolve
    })
    const begun = new Promise<ServerUnaryCall<unknown, unknown>>((begin) => {
      this.#held = { answer, begin, going }
    })
    return { begun, go }
  }
}

/** Closed at the test's end. */
async function served(options: ListenOptions = {}) {
  const path = `${temporaryFolder()}/socket`
  const listener = await listen(path, options)
  const server = new TestServer()
  const connections = serveConnections(listener, server.grpc)
  onTestFinished(async () => {
    await connections.close({ drain: 0 })
    server.grpc.forceShutdown()
  })
  return { path, listener, server, connections, client: openClient(path) }
}

function openClient(path: string): TestClient {
  const client = clientOf(path)
  onTestFinished(() => client.close())
  return client
}
