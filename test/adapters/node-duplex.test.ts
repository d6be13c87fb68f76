/** Frame streams as Duplexes of Node's: the kit's cases, what waits inside them, and bytes as http and undici use them. */
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { Duplex, type Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Client } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { toDuplex } from '../../src/adapters/node/index.js'
import { type MessageAdapter, messageCases } from '../../src/adapters/testing/index.js'
import { raw } from '../../src/framing/index.js'
import { packValue, unpackValue } from '../../src/rpc/index.js'
import {
  Descriptor,
  type Frame,
  type FrameStream,
  pair,
  type StreamOptions,
  UsageError,
} from '../../src/stream/index.js'
import { startChild } from '../transport/children/run.js'

const adapter: MessageAdapter = {
  descriptors: 'carried',
  attach(stream, { onMessage, onClose }) {
    const duplex = toDuplex(stream)
    let failure: Error | undefined
    duplex.on('data', (frame: Frame) => {
      try {
        onMessage(unpackValue(frame).value)
      } catch (error) {
        duplex.destroy(error as Error)
      }
    })
    duplex.on('error', (error) => {
      failure = error
    })
    duplex.on('close', () => onClose(failure))
    return {
      send: async (message) => {
        const packed = packValue(message)
        await new Promise<void>((resolve, reject) => {
          duplex.write({ ...packed, transfer: true }, (error: Error | null | undefined) =>
            error ? reject(error) : resolve(),
          )
        })
      },
      end: () => void duplex.end(),
      close: () => void duplex.destroy(),
    }
  },
}

describe('toDuplex of frames', () => {
  it.each(messageCases(adapter))('$name', ({ run }) => run())

  it('sends and receives frames with their descriptors, to the end', async () => {
    const [near, far] = streams()
    const [a, b] = [toDuplex(near), toDuplex(far)]
    using file = Descriptor.memfd(Buffer.from('content'))

    a.write({ payload: Buffer.from('with'), descriptors: [file] })
    a.end(Buffer.from('without'))
    const frames: Frame[] = []
    for await (const frame of b) frames.push(frame)

    expect(frames.map(({ payload, descriptors }) => [Buffer.from(payload).toString(), descriptors.length])).toEqual([
      ['with', 1],
      ['without', 0],
    ])
    for (const frame of frames) frame[Symbol.dispose]()
    b.end()
    await once(a.resume(), 'close')
  })

  it('disposes of frames that were never read when it is destroyed', async () => {
    const [near, far] = streams()
    const duplex = toDuplex(far)
    for (let i = 0; i < 5; i++) near.send(new Uint8Array(1), [Descriptor.memfd(1)], { transfer: true })
    await once(duplex, 'readable')

    const first: Frame = duplex.read()
    await once(duplex, 'readable')
    duplex.destroy()

    expect(first.descriptors[0]?.closed).toBe(false)
    first[Symbol.dispose]()
    await once(duplex, 'close')
  })

  it('owns what waits to be written, and closes it when it is destroyed', async () => {
    const [near] = streams()
    const duplex = toDuplex(near)
    const [lent, moved] = [Descriptor.memfd(1), Descriptor.memfd(1)]
    duplex.cork()
    duplex.write({ payload: new Uint8Array(1), descriptors: [lent] })
    duplex.write({ payload: new Uint8Array(1), descriptors: [moved], transfer: true })
    lent.close()

    expect(moved.closed).toBe(true)
    duplex.destroy()
    await once(duplex, 'close')
  })

  it('leaves a transferred descriptor alone that comes with a wrong one', async () => {
    const [near] = streams()
    const duplex = toDuplex(near)
    using file = Descriptor.memfd(1)
    const closed = Descriptor.memfd(1)
    closed.close()

    const failed = once(duplex, 'error')
    duplex.write({ payload: new Uint8Array(1), descriptors: [file, closed], transfer: true })

    expect((await failed)[0]).toMatchObject({ code: 'ERR_PILLION_CLOSED' })
    expect(file.closed).toBe(false)
  })

  it.each([['text'], [{ bytes: new Uint8Array(1) }], [7], [null]])(
    'is destroyed by what is no frame: %j',
    async (written) => {
      const [near] = streams()
      const duplex = toDuplex(near)
      const failed = once(duplex, 'error')
      duplex.write(written)
      expect((await failed)[0]).toBeInstanceOf(UsageError)
    },
  )

  it('tells the writer of each frame that cannot be sent, as Node does', async () => {
    const [near] = streams()
    const duplex = toDuplex(near)
    using kept = Descriptor.memfd(1)
    const told: string[] = []
    const tell = (name: string) => (error?: Error | null) => void told.push(`${name}: ${codeOf(error)}`)
    duplex.on('error', tell('error'))

    duplex.write(Buffer.from('good'), tell('good'))
    duplex.write({ payload: Buffer.from('bad'), descriptors: [kept, closedDescriptor()], transfer: true }, tell('bad'))
    duplex.write({ payload: Buffer.from('behind'), descriptors: [Descriptor.memfd(1)], transfer: true }, tell('behind'))
    await new Promise((resolve) => duplex.once('close', resolve))
    duplex.write({ payload: Buffer.from('late'), descriptors: [Descriptor.memfd(1)], transfer: true }, tell('late'))
    await nextTurn()

    expect(told).toEqual([
      'good: sent',
      'bad: ERR_PILLION_CLOSED',
      'behind: ERR_PILLION_CLOSED',
      'error: ERR_PILLION_CLOSED',
      'late: ERR_STREAM_DESTROYED',
    ])
    expect(kept.closed).toBe(false)
  })

  it.each([
    ['no frame', () => ({}), 'ERR_PILLION_USAGE'],
    [
      'a closed descriptor',
      () => ({ payload: Buffer.from('x'), descriptors: [closedDescriptor()] }),
      'ERR_PILLION_CLOSED',
    ],
    ['what the stream refuses', () => new Uint8Array(2000), 'ERR_PILLION_FRAME_TOO_LARGE'],
  ])('calls back with why it was not sent: %s', async (_what, frame, code) => {
    const ways = [
      (duplex: Duplex, done: (error?: Error | null) => void) => duplex.write(frame(), done),
      (duplex: Duplex, done: (error?: Error | null) => void) => duplex.end(frame(), done),
    ]
    for (const way of ways) {
      const duplex = toDuplex(streams({ maxPayload: 1000 })[0])
      const failed = once(duplex, 'error')
      expect(await new Promise((resolve) => way(duplex, resolve))).toMatchObject({ code })
      expect(await failed).toMatchObject([{ code }])
    }
    const writer = Duplex.toWeb(toDuplex(streams({ maxPayload: 1000 })[0])).writable.getWriter()
    writer.write(frame()).catch(() => {}) // Node 24 resolves it, of any Duplex whose write fails; `closed` tells everywhere
    await expect(writer.closed).rejects.toMatchObject({ code })
  })

  it('calls back from end() wherever the callback stands', async () => {
    for (const end of [
      (duplex: Duplex, done: () => void) => duplex.end(done),
      (duplex: Duplex, done: () => void) => duplex.end(null, done),
      (duplex: Duplex, done: () => void) => duplex.end(undefined, undefined as never, done),
      (duplex: Duplex, done: () => void) => duplex.end(Buffer.from('last'), done),
      (duplex: Duplex, done: () => void) => duplex.end(Buffer.from('last'), 'utf8', done),
    ]) {
      const duplex = toDuplex(streams()[0])
      await new Promise<void>((resolve) => end(duplex, resolve))
      duplex.destroy()
    }
  })

  it('becomes web streams by Node’s own means', async () => {
    const [near, far] = streams()
    const { readable, writable } = Duplex.toWeb(toDuplex(near))
    const writer = writable.getWriter()
    await writer.write(Buffer.from('by the web'))
    const closed = writer.close() // settles when both directions are done, as Node has it
    for await (const frame of far) expect(Buffer.from(frame.payload).toString()).toBe('by the web')
    await far.end()
    expect(await readable.getReader().read()).toEqual({ done: true, value: undefined })
    await closed
  })
})

describe('a buffer that is written into again', () => {
  it.each([
    ['frames', 'of the default codec', {}],
    ['frames', 'as messages', { type: 'seqpacket' }],
    ['bytes', 'raw', { codec: raw() }],
    ['bytes', 'cut into frames', { maxPayload: 20_000 }],
  ] as const)('is sent as it was until its write was done: %s, %s', async (mode, _how, options) => {
    const [near, far] = streams(options)
    const duplex = toDuplex(near, { mode } as { mode: 'frames' })
    const [count, length] = [30, 50_000]
    const writing = (async () => {
      const reused = Buffer.alloc(length)
      for (let i = 0; i < count; i++) {
        await new Promise((resolve) => duplex.write(reused.fill(i), resolve))
      }
      reused.fill(255)
      duplex.end()
    })()
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve)) // it waits for the peer

    const received: Uint8Array[] = []
    for await (const { payload } of far) received.push(payload)
    await writing

    const expected = Buffer.concat(Array.from({ length: count }, (_, i) => Buffer.alloc(length, i)))
    expect(Buffer.concat(received).equals(expected)).toBe(true)
  })
})

describe('toDuplex of bytes', () => {
  it('carries any bytes both ways, under back-pressure', async () => {
    const [near, far] = streams({ codec: raw() })
    const echo = toDuplex(far, { mode: 'bytes' })
    const socket = toDuplex(near, { mode: 'bytes' })
    const bytes = Buffer.alloc(20_000_000, 'all kinds of bytes ')

    const done = pipeline(echo, echo)
    socket.end(bytes)

    expect((await buffer(socket)).equals(bytes)).toBe(true)
    await done
  })

  it('cuts what is larger than a frame', async () => {
    const [near, far] = streams({ maxPayload: 1000 })
    const [a, b] = [toDuplex(near, { mode: 'bytes' }), toDuplex(far, { mode: 'bytes' })]
    a.end('x'.repeat(10_500))
    expect(await text(b)).toBe('x'.repeat(10_500))
  })

  it('gives descriptors to whoever listens, and closes them otherwise', async () => {
    const [near, far] = streams()
    const duplex = toDuplex(far, { mode: 'bytes' })
    near.send(Buffer.from('a'), [Descriptor.memfd(1)], { transfer: true })
    expect(String((await once(duplex, 'data'))[0])).toBe('a')

    const given: Descriptor[] = []
    duplex.on('descriptors', (descriptors: Descriptor[]) => given.push(...descriptors))
    near.send(Buffer.from('b'), [Descriptor.memfd(1)], { transfer: true })
    await once(duplex, 'data')

    expect(given).toHaveLength(1)
    given[0]?.close()
    duplex.destroy()
  })

  it('ends by a descriptor that was lost to a full table, also by one that nobody had asked for', async () => {
    const child = startChild('../../adapters/children/lost-bytes.ts', [], { limit: 64 })
    const lost = 'ERR_PILLION_DESCRIPTOR_LOST'
    expect(await child.answer()).toEqual({ came: [1, 'first', lost], leaked: 0 })
    expect(await child.answer()).toEqual({ came: ['first', lost], leaked: 0 }) // it had the bytes
    expect(await child.end()).toBe(0)
  })

  it('tells when nothing has come for a while', async () => {
    const [near] = streams()
    const duplex = toDuplex(near, { mode: 'bytes' })
    await new Promise<void>((resolve) => duplex.setTimeout(1, resolve))
    duplex.destroy()
  })

  it('is what http serves, and what http and undici ask by', async () => {
    const server = createServer((incoming, response) => {
      incoming.pipe(response.writeHead(200, { 'x-path': incoming.url }))
    })
    const connect = () => {
      const [near, far] = streams({ codec: raw() })
      server.emit('connection', toDuplex(far, { mode: 'bytes' }))
      return toDuplex(near, { mode: 'bytes' })
    }

    const asking = request({ path: '/http', method: 'POST', createConnection: connect })
    asking.end('x'.repeat(1_000_000))
    const [response] = (await once(asking, 'response')) as [Readable & { headers: Record<string, string> }]
    expect([response.headers['x-path'], (await text(response)).length]).toEqual(['/http', 1_000_000])

    // undici is given a socket in the same way, but not before its connector has returned.
    const client = new Client('http://localhost', {
      connect: (_options, done) => void setImmediate(() => done(null, connect() as never)),
    })
    const answer = await client.request({ path: '/undici', method: 'POST', body: 'asked' })
    expect([answer.headers['x-path'], await answer.body.text()]).toEqual(['/undici', 'asked'])
    await client.close()
  })
})

function streams(options: StreamOptions = {}): [FrameStream, FrameStream] {
  const both = pair(options)
  onTestFinished(() => {
    for (const stream of both) stream.destroy()
  })
  return both
}

function closedDescriptor(): Descriptor {
  const descriptor = Descriptor.memfd(1)
  descriptor.close()
  return descriptor
}

function codeOf(error?: NodeJS.ErrnoException | null): string {
  return error ? (error.code ?? error.message) : 'sent'
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
