/** What an error says about where: each one of a connected socket names the address that the socket is at. */
import { mkdtempSync, rmSync } from 'node:fs'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { adopt, connect, type FrameStream, type ListenOptions, listen, pair } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { adoptConnected, connectUnix, UnixSocket } from '../../src/transport/index.js'
import { needs } from '../support/needs.js'
import { destroyedAfterTest, named } from '../support/streams.js'
import { ignoring } from '../transport/native-sockets.js'

let path = ''
beforeEach(() => {
  const directory = mkdtempSync('/tmp/pillion-addresses-')
  path = `${directory}/s`
  onTestFinished(() => rmSync(directory, { recursive: true }))
})

/** A server at `at`, and the first stream that it accepts. */
async function serve(at: string, options: ListenOptions = {}): Promise<{ readonly first: Promise<FrameStream> }> {
  const server = await listen(at, options)
  onTestFinished(() => server.close())
  const first = new Promise<FrameStream>((resolve) => server.on('connection', resolve))
  return { first: first.then(destroyedAfterTest) }
}

/** How sending into a connection ends whose peer has gone. */
async function brokenPipe(stream: FrameStream, peer: FrameStream): Promise<unknown> {
  peer.destroy()
  destroyedAfterTest(stream).send(Buffer.from('x'))
  return stream.closed.catch((error) => error)
}

describe('the error of a send', () => {
  test('names the path that was connected to', async () => {
    const { first } = await serve(path)
    const stream = await connect(path)
    const error = await brokenPipe(stream, await first)
    expect(error).toMatchObject({ code: 'EPIPE', syscall: 'sendmsg', address: path, message: `sendmsg ${path}: EPIPE` })
  })

  test('names an abstract name as it is written', async () => {
    const name = `@pillion-addresses-${process.pid}`
    const { first } = await serve(name)
    const stream = await connect({ abstract: name.slice(1) })
    expect(await brokenPipe(stream, await first)).toMatchObject({ code: 'EPIPE', address: name })
  })

  test('names the listener’s address at an accepted one', async () => {
    const { first } = await serve(path)
    const client = await connect(path)
    expect(await brokenPipe(await first, client)).toMatchObject({ code: 'EPIPE', address: path })
  })

  test.each(['connect', 'adopt'] as const)('names where a descriptor is connected, given to %s', async (way) => {
    const { first } = await serve(path)
    const socket = adoptOwned(await connectUnix(path))
    const stream = way === 'adopt' ? adopt(socket) : await connect({ fd: socket })
    expect(await brokenPipe(stream, await first)).toMatchObject({ code: 'EPIPE', address: path })
  })

  test('names no address where there is none: a pair', async () => {
    const error = await brokenPipe(...pair())
    expect(error).toMatchObject({ code: 'EPIPE', message: 'sendmsg: EPIPE' })
    expect(error).toHaveProperty('address', undefined)
  })

  test('names it in a PermissionError, too', async (context) => {
    needs(context, { kernel: '6.16' })
    const { first } = await serve(path, { acceptDescriptors: false })
    const stream = destroyedAfterTest(await connect(path))
    await first // it refuses from the moment that it is accepted
    using file = named('x')
    expect(() => stream.send(Buffer.from('x'), [file])).toThrow(
      expect.objectContaining({ code: 'ERR_PILLION_PERMISSION', address: path, syscall: 'sendmsg' }),
    )
  })
})

test('the error of a receive names the address', async () => {
  const { first } = await serve(path)
  const client = await connect(path)
  const stream = await first
  client.on('error', () => {})
  stream.send(Buffer.from('unread'))
  await stream.flush()
  client.send(Buffer.from('x'))
  client.destroy() // with input unread: a reset
  const error = await (async () => {
    for await (const _frame of stream);
  })().catch((failure) => failure)
  expect(error).toMatchObject({ code: 'ECONNRESET', syscall: 'recvmsg', address: path })
})

test('a UnixSocket names what it is told, and knows it', async () => {
  const { first } = await serve(path)
  const fd = adoptConnected(adoptOwned(await connectUnix(path)))
  const errors: unknown[] = []
  const socket = new UnixSocket(
    fd,
    { ...ignoring, onSendError: (error) => errors.push(error) },
    {},
    { address: 'there' },
  )
  onTestFinished(() => socket.close())
  expect(socket.address).toBe('there')
  ;(await first).destroy()
  socket.queue.pushPlain(Buffer.from('x'), 0, 1, 0)
  socket.flush()
  expect(errors).toEqual([expect.objectContaining({ message: 'sendmsg there: EPIPE' })])
})
