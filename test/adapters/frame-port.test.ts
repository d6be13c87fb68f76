/** A MessagePort over a frame stream: the kit's cases, what a structured clone keeps, and the manners of its events. */
import { serialize } from 'node:v8'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FramePort } from '../../src/adapters/message-port/index.js'
import { type MessageAdapter, messageCases } from '../../src/adapters/testing/index.js'
import { Descriptor, type FrameStream, pair, UsageError } from '../../src/stream/index.js'

const adapter: MessageAdapter = {
  descriptors: 'carried',
  attach(stream, { onMessage, onClose }) {
    const port = new FramePort(stream)
    port.on('message', onMessage)
    port.on('close', onClose)
    return {
      send: (message) => (port.postMessage(message) ? undefined : port.drained()),
      close: () => port.close(),
    }
  },
  hostile: [serialize({ a: 1 }), serialize(new Uint8Array(8)), serialize([1n, new Map()])].map(
    (bytes) => new Uint8Array(bytes),
  ),
}

describe('a FramePort', () => {
  it.each(messageCases(adapter))('$name', ({ run }) => run())

  it('posts what a structured clone keeps: cycles, shared objects, what has no JSON', async () => {
    const { near, far } = ports()
    const shared = { name: 'shared' }
    const value = {
      list: [shared, shared],
      map: new Map<unknown, unknown>([[shared, new Set([1n, undefined])]]),
      bytes: new Uint16Array([1, 2]),
      buffer: new ArrayBuffer(3),
      date: new Date(5),
      error: new RangeError('out'),
      pattern: /a+/gi,
      sparse: Object.assign(new Array(3), { 2: 'third' }),
      self: undefined as unknown,
    }
    value.self = value

    near.postMessage(value)
    const [clone] = (await received(far)) as [typeof value]

    expect(clone).toEqual(value)
    expect(clone.self).toBe(clone)
    expect(clone.list[0]).toBe(clone.list[1])
    expect([...clone.map.keys()][0]).toBe(clone.list[0])
  })

  it('duplicates descriptors, takes over those to transfer, and keeps one that is there twice one', async () => {
    const { near, far } = ports()
    const [lent, moved] = [Descriptor.memfd(1), Descriptor.memfd(1)]

    near.postMessage({ lent, again: lent, deep: new Map([['moved', new Set([moved])]]) }, [moved])
    const [message] = (await received(far)) as [
      { lent: Descriptor; again: Descriptor; deep: Map<string, Set<Descriptor>> },
    ]

    expect([lent.closed, moved.closed]).toEqual([false, true])
    expect(message.again).toBe(message.lent)
    const [arrived] = [...message.deep.get('moved')!]
    expect(arrived?.kind).toBe('memfd')
    for (const descriptor of [lent, message.lent, arrived!]) descriptor.close()
  })

  it('refuses what cannot be posted, and leaves the descriptors to their owner', () => {
    const { near } = ports()
    using file = Descriptor.memfd(1)

    expect(() => near.postMessage({ file, call: () => {} }, [file])).toThrow(UsageError)
    expect(() => near.postMessage('nothing', [file])).toThrow('has to be in the message')
    expect(() => near.postMessage(new ArrayBuffer(1), [new ArrayBuffer(1)])).toThrow('an ArrayBuffer is copied')
    expect(file.closed).toBe(false)
  })

  it('tells of a message that cannot be read, closes its descriptors, and goes on', async () => {
    const [stream, peer] = streams()
    const port = new FramePort(stream)
    const messages: unknown[] = []
    const failed = new Promise<Error>((resolve) => port.on('messageerror', resolve))
    port.on('message', (message) => messages.push(message))

    peer.send(Buffer.from('no clone'), [Descriptor.memfd(1)], { transfer: true })
    new FramePort(peer).postMessage('readable')

    expect(await failed).toBeInstanceOf(Error)
    await expect.poll(() => messages).toEqual(['readable'])
  })

  it('has the events of a browser’s port, too, and closes what nobody listens to', async () => {
    const { near, far } = ports()
    const seen: unknown[] = []
    const listener = { handleEvent: (event: Event) => void seen.push((event as MessageEvent).data) }
    far.addEventListener('message', listener)
    far.addEventListener('message', listener)
    far.onmessage = (event) => void seen.push((event as MessageEvent).data)
    near.postMessage(1)
    await expect.poll(() => seen).toEqual([1, 1])

    far.removeEventListener('message', listener)
    far.onmessage = null
    const last = Descriptor.memfd(1)
    near.postMessage(last, [last])
    near.close()
    await new Promise<void>((resolve) => far.on('close', () => resolve()))
    expect(seen).toEqual([1, 1])
  })

  it('refuses a descriptor in what is cloned as it is, where it would come out as {}', () => {
    const { near } = ports()
    using file = Descriptor.memfd(1)
    class Request {
      readonly parts = [{ file }]
    }
    const cycle: { request?: Request; file: Descriptor } = { file }
    cycle.request = Object.assign(Object.create(Request.prototype), { cycle }) as Request

    expect(() => near.postMessage({ request: new Request() })).toThrow('a Descriptor is in an instance of Request')
    expect(() => near.postMessage([file, new Request()])).toThrow(UsageError)
    expect(() => near.postMessage(cycle)).toThrow(UsageError)
    expect(() => near.postMessage(new Error('failed', { cause: file }))).toThrow(
      'a Descriptor is in an instance of Error',
    )
    expect(file.closed).toBe(false)
  })

  it('keeps shared what an instance shares with the rest, and gives views memory of their own', async () => {
    const { near, far } = ports()
    const shared = {}
    const memory = new ArrayBuffer(16)
    near.postMessage({
      shared,
      instance: new (class Named {
        readonly shared = shared
      })(),
      views: [new Uint8Array(memory, 4, 8), new Float64Array(2), Buffer.from('pooled'), new DataView(memory, 1, 3)],
    })
    const [message] = await received(far)
    const { views, ...rest } = message as { views: Uint8Array[]; shared: object; instance: { shared: object } }

    expect(rest.instance.shared).toBe(rest.shared)
    expect(views.map(({ buffer, byteOffset }) => [byteOffset, buffer.byteLength])).toEqual([
      [0, 8],
      [0, 16],
      [0, 6],
      [0, 3],
    ])
    expect(String(views[2])).toBe('pooled')
  })

  it('closes cleanly for both, also with something of the peer’s unread, whose descriptors it closes', async () => {
    for (const started of [true, false]) {
      const { near, far } = ports()
      const closings: unknown[] = []
      const messages: unknown[] = []
      for (const port of [near, far]) port.on('close', (error) => closings.push(error))
      if (started) near.on('message', (message) => messages.push(['near', message]))
      for (let i = 0; i < 50; i++) {
        const file = Descriptor.memfd(1)
        far.postMessage([i, file], [file])
      }
      near.postMessage('last')

      near.close()
      far.postMessage('crossing')
      far.on('message', (message) => messages.push(['far', message]))

      await expect.poll(() => closings).toEqual([undefined, undefined])
      expect(messages).toEqual([['far', 'last']])
    }
  })

  it('is told of the peer’s end before it is started, and of messages first that came before it', async () => {
    const { near, far } = ports()
    const closed = new Promise((resolve) => far.on('close', resolve))
    near.close()
    expect(await closed).toBeUndefined()

    const other = ports()
    other.near.postMessage('first')
    other.near.postMessage('second')
    other.near.close()
    const seen: unknown[] = []
    other.far.on('close', () => seen.push('close'))
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(seen).toEqual([])
    other.far.on('message', (message) => seen.push(message))
    await expect.poll(() => seen).toEqual(['first', 'second', 'close'])
  })
})

function ports(): { readonly near: FramePort; readonly far: FramePort } {
  const [a, b] = streams()
  return { near: new FramePort(a), far: new FramePort(b) }
}

function streams(): [FrameStream, FrameStream] {
  const both = pair()
  onTestFinished(() => {
    for (const stream of both) stream.destroy()
  })
  return both
}

function received(port: FramePort): Promise<unknown[]> {
  return new Promise((resolve) => port.once('message', (message) => resolve([message])))
}
