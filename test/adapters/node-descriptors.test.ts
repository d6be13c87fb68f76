/** Received descriptors as Node's own objects: what they do, and who closes the number. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, get } from 'node:http'
import { connect as connectNet, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { Client } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { listenOn, toReadStream, toServer, toSocket, toTty, toWriteStream } from '../../src/adapters/node/index.js'
import {
  ClosedError,
  connect,
  Descriptor,
  type FrameStream,
  listen,
  pair,
  pipe,
  UsageError,
} from '../../src/stream/index.js'
import { temporaryFolder } from './support/folder.js'

describe('toSocket', () => {
  it('is a net.Socket, which closes the number', async () => {
    const [a, b] = pair()
    const [first, second] = [await socketOf(a), await socketOf(b)]
    const { fd } = first
    const near = toSocket(first)
    const far = toSocket(second)

    expect(first.closed).toBe(true)
    near.end('both ways')
    expect(await text(far)).toBe('both ways')
    far.end()
    await once(near, 'close')
    expect(() => fstatSync(fd)).toThrow('EBADF')
  })

  it('takes a TCP connection that came over a stream', async () => {
    const server = createServer((socket) => socket.on('data', (asked) => socket.end(`${asked} by TCP`))).listen(
      0,
      '127.0.0.1',
    )
    await once(server, 'listening')
    const client = connectNet({ port: (server.address() as { port: number }).port })
    await once(client, 'connect')

    const received = await passed(Descriptor.dup((client as unknown as { _handle: { fd: number } })._handle.fd))
    client.destroy()

    const socket = toSocket(received)
    socket.write('asked')
    expect(await text(socket)).toBe('asked by TCP')
    server.close()
    await once(server, 'close')
  })

  it.each([
    ['a file', async () => Descriptor.memfd(1)],
    ['a listening socket', async () => (await listeningSocket()).socket],
  ])('refuses %s, which stays the caller’s', async (_what, make) => {
    using descriptor = await make()
    expect(() => toSocket(descriptor)).toThrow(UsageError)
    expect(descriptor.closed).toBe(false)
  })

  it('refuses a closed Descriptor, and what is none', () => {
    const descriptor = Descriptor.memfd(1)
    descriptor.close()
    expect(() => toSocket(descriptor)).toThrow(ClosedError)
    expect(() => toSocket(1 as never)).toThrow(UsageError)
  })
})

describe('a server on a received socket', () => {
  it('accepts, and closing it closes the number', async () => {
    const { socket, path } = await listeningSocket()
    const received = await passed(socket)
    const { fd } = received
    const server = toServer(received, (client) => client.end('served'))

    expect(received.closed).toBe(true)
    expect(await text(connectNet(path))).toBe('served')
    await closed(server)
    expect(() => fstatSync(fd)).toThrow('EBADF')
  })

  it('may be any of Node’s, asked by http and undici through connections of pillion’s', async () => {
    const { socket, path } = await listeningSocket()
    const server = listenOn(
      createHttpServer((request, response) => response.end(`you asked for ${request.url}`)),
      await passed(socket),
    )
    const connection = async () => toSocket(await socketOf(await connect(path)))

    const opened = await connection()
    const [response] = await once(get({ path: '/a', createConnection: () => opened }), 'response')
    expect(await text(response)).toBe('you asked for /a')

    const client = new Client('http://localhost', {
      connect: (_options, done) =>
        void connection().then(
          (socket) => done(null, socket),
          (error) => done(error, null),
        ),
    })
    const answer = await client.request({ path: '/b', method: 'GET' })
    expect(await answer.body.text()).toBe('you asked for /b')
    await client.close()
    await closed(server)
  })

  it('goes before a listen() of its own that is under way', async () => {
    const { socket, path } = await listeningSocket()
    const server = createServer((client) => client.end('served'))
    server.listen(0, 'localhost') // looks the name up first

    listenOn(server, socket)
    await once(server, 'listening')

    expect(socket.closed).toBe(true)
    expect(await text(connectNet(path))).toBe('served')
    await closed(server)
  })

  it('is refused a file, a connected socket, and a second socket', async () => {
    using file = Descriptor.memfd(1)
    const [a, b] = pair()
    using connected = await socketOf(a)
    b.destroy()
    const { socket } = await listeningSocket()
    using second = await (await listeningSocket()).socket

    for (const wrong of [file, connected]) expect(() => toServer(wrong)).toThrow(UsageError)
    const server = toServer(socket)
    expect(() => listenOn(server, second)).toThrow('listening already')
    expect([file.closed, connected.closed, second.closed]).toEqual([false, false, false])
    await closed(server)
  })
})

describe('toReadStream and toWriteStream', () => {
  it('read and write files, and close the number', async () => {
    const path = join(temporaryFolder(), 'file')
    writeFileSync(path, 'before')
    const target = Descriptor.own(openSync(path, 'r+'))
    const { fd } = target
    const writer = toWriteStream(target, { start: 3 })
    writer.end('instead')
    await once(writer, 'close')

    expect(target.closed).toBe(true)
    expect(() => fstatSync(fd)).toThrow('EBADF')
    expect(readFileSync(path, 'utf8')).toBe('befinstead')
    expect(await text(toReadStream(Descriptor.own(openSync(path, 'r')), { start: 3, end: 4 }))).toBe('in')
    expect(await text(toReadStream(Descriptor.memfd(Buffer.from('memory'))))).toBe('memory')
  })

  it('read and write pipes', async () => {
    const { readable, writable } = pipe()
    toWriteStream(writable).end('through a pipe')
    expect(await text(toReadStream(readable))).toBe('through a pipe')
  })

  it('refuse a directory, a place in a pipe, and options that cannot be, and leave the number to the caller', () => {
    using folder = Descriptor.own(openSync(temporaryFolder(), 'r'))
    using file = Descriptor.memfd(1)
    using ends = pipe()

    expect(() => toReadStream(folder)).toThrow(UsageError)
    expect(() => toWriteStream(folder)).toThrow(UsageError)
    expect(() => toReadStream(ends.readable, { start: 1 })).toThrow(UsageError)
    expect(() => toReadStream(file, { start: -1 })).toThrow(RangeError)
    expect([folder.closed, file.closed, ends.readable.closed]).toEqual([false, false, false])
  })

  it.each(['seqpacket', 'datagram'] as const)(
    'refuse a %s socket, of which Node makes none, and leave it to the caller',
    async (type) => {
      const [near, far] = pair({ type })
      using descriptor = await socketOf(near)

      for (const made of [toReadStream, toWriteStream]) {
        expect(() => made(descriptor)).toThrow(UsageError)
        expect(descriptor.closed).toBe(false)
      }
      far.destroy()
    },
  )
})

describe('toTty', () => {
  it('is a terminal, and leaves no number open', async () => {
    const terminal = await openTerminal()
    const descriptor = Descriptor.own(openSync(terminal.path, constants.O_RDWR | constants.O_NOCTTY))
    const writer = toTty(await passed(descriptor), 'write')

    expect([writer.isTTY, typeof writer.columns]).toEqual([true, 'number'])
    writer.write('to the terminal\n')
    expect(await terminal.line()).toBe('to the terminal')
    writer.destroy()
    await once(writer, 'close')
  })

  it('refuses what is none', () => {
    using file = Descriptor.memfd(1)
    expect(() => toTty(file, 'read')).toThrow(UsageError)
    expect(file.closed).toBe(false)
  })
})

/** Of a stream that has received nothing. */
async function socketOf(stream: FrameStream): Promise<Descriptor> {
  await stream.stopReceiving()
  return stream.detach().socket
}

/** As it comes out at the other end of a stream. */
async function passed(descriptor: Descriptor): Promise<Descriptor> {
  const [near, far] = pair()
  near.send(new Uint8Array(1), [descriptor], { transfer: true })
  const { value: frame } = await far[Symbol.asyncIterator]().next()
  near.destroy()
  far.destroy()
  return frame!.descriptors[0]!
}

async function listeningSocket(): Promise<{ readonly socket: Descriptor; readonly path: string }> {
  const path = join(temporaryFolder(), 'socket')
  const server = await listen(path)
  return { socket: server.detach(), path }
}

async function closed(server: Server): Promise<void> {
  if (!server.listening) return
  server.close()
  await once(server, 'close')
}

/** `line`: the next one that is written to it. */
async function openTerminal(): Promise<{ readonly path: string; readonly line: () => Promise<string> }> {
  const program = `
import os, sys
master, slave = os.openpty()
print(os.ttyname(slave), flush=True)
while True:
    os.write(1, os.read(master, 100))
`
  const child = spawn('python3', ['-c', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    child.kill()
    await once(child, 'close')
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const line = async () => String((await lines.next()).value).trimEnd()
  return { path: await line(), line }
}
