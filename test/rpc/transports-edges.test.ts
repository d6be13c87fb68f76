/**
 * The edges of the transports that only a peer at fault, or a caller at fault, meets: what is told once, what is closed.
 */
import { MessageChannel } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { MemoryTransport, MessagePortTransport, RpcSession, RpcTarget, type RpcTransport } from '../../src/rpc/index.js'
import { FrameStreamTransport } from '../../src/rpc/transports/frame-stream-transport.js'
import { ClosedError, Descriptor, UsageError } from '../../src/stream/index.js'
import { streamPair } from '../support/streams.js'
import { plain } from './support/waiting.js'

const none: readonly Uint8Array[] = []

interface Told {
  readonly frames: string[]
  readonly ends: (string | undefined)[]
}

/** Starts it, and notes what it tells. */
function started(transport: RpcTransport): Told {
  const told: Told = { frames: [], ends: [] }
  transport.start({
    onFrame: (payload, descriptors) => {
      told.frames.push(Buffer.from(payload).toString())
      for (const descriptor of descriptors) descriptor.close()
    },
    onBatchEnd: () => {},
    onEnd: (error) => told.ends.push((error as { code?: string } | undefined)?.code),
  })
  return told
}

function transportPair(): [RpcTransport, RpcTransport] {
  const [a, b] = streamPair()
  return [new FrameStreamTransport(a), new FrameStreamTransport(b)]
}

const bytes = (text: string): Uint8Array => Buffer.from(text)

describe('FrameStreamTransport', () => {
  it('sends the head and the content as one frame', async () => {
    const [a, b] = transportPair()
    started(a)
    const told = started(b)
    a.send(bytes('head '), [bytes('content')], [])
    await expect.poll(() => told.frames).toEqual(['head content'])
    a.close()
    await expect.poll(() => told.ends).toEqual([undefined])
    b.close()
  })

  it('keeps a large head that is written over as soon as it is sent', async () => {
    const [a, b] = transportPair()
    started(a)
    const told = started(b)
    const head = Buffer.alloc(1024 * 1024, 'x')
    for (let i = 0; i < 4; i++) {
      head.fill(String(i))
      a.send(head, none, [])
    }
    await expect.poll(() => told.frames.length).toBe(4)
    expect(told.frames.map((frame) => new Set(frame))).toEqual(['0', '1', '2', '3'].map((i) => new Set(i)))
    expect(a.queuedBytes).toBe(0)
    a.close()
    b.close()
  })

  it('tells of the peer’s end once, also when it ends half way and by force', async () => {
    for (const end of ['end', 'destroy'] as const) {
      const [peer, stream] = streamPair()
      const transport = new FrameStreamTransport(stream)
      const told = started(transport)
      peer.on('frame', () => {})
      if (end === 'end') void peer.end()
      else peer.destroy()
      await expect.poll(() => told.ends).toHaveLength(1)
      transport.close()
      transport.close()
      peer.destroy()
      await expect.poll(() => stream.destroyed).toBe(true)
      expect(told.ends).toHaveLength(1)
    }
  })

  it.each([
    ['ended', undefined, undefined],
    ['failed', new ClosedError('lost'), 'ERR_PILLION_CLOSED'],
  ])('tells of the end of a stream that had %s before, once it has started', async (_how, error, code) => {
    for (const answers of ['at once', 'by promises'] as const) {
      const [, stream] = streamPair()
      stream.destroy(error)
      const transport = new FrameStreamTransport(stream, { answers })
      const told = started(transport)
      expect(told.ends).toEqual([])
      await expect.poll(() => told.ends).toEqual([code])
    }
  })

  it('leaves no call pending of a session on a stream that has ended', async () => {
    for (const error of [undefined, new Error('lost')]) {
      const [, stream] = streamPair()
      stream.destroy(error)
      const session = new RpcSession<{ ask(): null }>(stream)
      using main = session.getRemoteMain()
      await expect(plain(main.ask())).rejects.toMatchObject({ type: 'disconnected' })
      if (error === undefined) await session.closed
      else await expect(session.closed).rejects.toMatchObject({ cause: error })
    }
  })

  it('closes the descriptors of what cannot be sent, and says why', () => {
    const [peer, stream] = streamPair({ maxPayload: 1000, maxDescriptors: 2 })
    const transport = new FrameStreamTransport(stream)
    started(transport)
    for (const [head, count, code] of [
      [new Uint8Array(2000), 1, 'ERR_PILLION_FRAME_TOO_LARGE'],
      [new Uint8Array(10), 3, 'ERR_PILLION_TOO_MANY_DESCRIPTORS'],
    ] as const) {
      const files = Array.from({ length: count }, () => Descriptor.memfd(new Uint8Array(1)))
      expect(() => transport.send(head, none, files)).toThrow(expect.objectContaining({ code }))
      expect(files.every(({ closed }) => closed)).toBe(true)
    }
    transport.close()
    const late = Descriptor.memfd(new Uint8Array(1))
    transport.send(new Uint8Array(1), none, [late])
    expect(late.closed).toBe(true)
    peer.destroy()
  })

  it('counts what the peer has not read, and gives up on it at the end', async () => {
    const [peer, stream] = streamPair()
    peer.pause()
    const transport = new FrameStreamTransport(stream)
    const told = started(transport)
    const file = Descriptor.memfd(new Uint8Array(1))
    transport.send(new Uint8Array(8), [new Uint8Array(4 * 1024 * 1024)], [file])
    transport.send(new Uint8Array(8), [new Uint8Array(4 * 1024 * 1024)], [])
    await expect.poll(() => transport.queuedBytes).toBeGreaterThan(4 * 1024 * 1024)
    transport.close()
    await expect.poll(() => stream.destroyed, { timeout: 10_000 }).toBe(true)
    expect(told.ends.length).toBeLessThanOrEqual(1)
    peer.destroy()
  })
})

describe('MessagePortTransport', () => {
  it.each([undefined, {}, new EventTarget()])('is over a MessagePort and nothing else (%s)', (port) => {
    expect(() => new MessagePortTransport(port as never)).toThrow(UsageError)
  })

  class Main extends RpcTarget {
    echo(value: unknown): unknown {
      return value
    }
  }

  it.each([
    ['text', 'garbage'],
    ['nothing', undefined],
    ['an object', { type: 'call' }],
    ['an ArrayBuffer', new ArrayBuffer(2)],
    ['a Float64Array', new Float64Array(1)],
    ['bytes that are no message', new Uint8Array([2])],
  ])('ends the session at a message that is %s', async (_name, message) => {
    const { port1, port2 } = new MessageChannel()
    const session = new RpcSession(new MessagePortTransport(port1), new Main())
    port2.postMessage(message)
    await expect(session.closed).rejects.toMatchObject({ code: 'ERR_PILLION_RPC' })
    expect(session.getStats()).toEqual({ imports: 0, exports: 0 })
    port2.close()
  })

  it('ends the session when the other end closes', async () => {
    const { port1, port2 } = new MessageChannel()
    const session = new RpcSession(new MessagePortTransport(port1), new Main())
    port2.close()
    await session.closed
  })
})

describe('MemoryTransport', () => {
  it('keeps frames and the end that come before it has started', async () => {
    const [a, b] = MemoryTransport.pair()
    started(a)
    a.send(bytes('1'), none, [])
    a.send(bytes('2'), [bytes('!')], [Descriptor.memfd(new Uint8Array(1))])
    a.close()
    await new Promise((resolve) => setImmediate(resolve))
    const told = started(b)
    expect(told).toEqual({ frames: ['1', '2!'], ends: [undefined] })
    b.close()
  })

  it('closes the descriptors of early frames when it is closed before it has started', async () => {
    const [a, b] = MemoryTransport.pair()
    started(a)
    const file = Descriptor.memfd(new Uint8Array(1))
    a.send(bytes('1'), none, [file])
    await new Promise((resolve) => setImmediate(resolve))
    b.close()
    expect(file.closed).toBe(true)
  })
})
