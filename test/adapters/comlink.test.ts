/** What comlink's documentation promises, over a stream; and what only a stream and descriptors bring. */
import { MessageChannel } from 'node:worker_threads'
import * as Comlink from 'comlink'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ComlinkOptions, streamEndpoint } from '../../src/adapters/comlink/index.js'
import { RpcError, sendValue } from '../../src/rpc/index.js'
import { adopt, ClosedError, Descriptor, PillionError, UsageError } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { destroyedAfterTest, named, nameOf, streamPair, until } from '../support/streams.js'
import { call, hostile } from './support/comlink-peer.js'

// biome-ignore lint/suspicious/noExplicitAny: what is exposed is of no interest to the types here
type Anything = any

function exposed(object: object, options: ComlinkOptions = {}) {
  const streams = streamPair()
  const near = streamEndpoint(streams[0], Comlink)
  const far = streamEndpoint(streams[1], Comlink, options)
  Comlink.expose(object, far)
  return { remote: Comlink.wrap<Anything>(near), near, far, streams }
}

/** One that is released when the other end says so. */
function finalized(): { object: object; readonly released: () => boolean } {
  let released = false
  const object = {
    [Comlink.finalizer]: () => {
      released = true
    },
    name: 'finalized',
  }
  return { object: Comlink.proxy(object), released: () => released }
}

describe('comlink over a stream', () => {
  it('gets, sets, calls and constructs', async () => {
    class Counter {
      value: number
      constructor(value = 0) {
        this.value = value
      }
      add(by: number): number {
        this.value += by
        return this.value
      }
    }
    const target = { Counter, deep: { list: [1, new Map([['a', 2n]])], name: 'before' } }
    const { remote } = exposed(target)
    expect(await remote.deep.list).toEqual([1, new Map([['a', 2n]])])
    remote.deep.name = 'after'
    expect(await remote.deep.name).toBe('after')
    const counter = await new remote.Counter(5)
    expect(await counter.add(2)).toBe(7)
    expect(await counter.value).toBe(7)
  })

  it('throws what is thrown there', async () => {
    const { remote } = exposed({
      error: () => {
        throw new RangeError('too far')
      },
      text: () => {
        // biome-ignore lint/style/useThrowOnlyError: comlink passes on that as well
        throw 'no error'
      },
    })
    await expect(remote.error()).rejects.toMatchObject({ name: 'RangeError', message: 'too far' })
    await expect(remote.text().catch((thrown: unknown) => thrown)).resolves.toBe('no error')
  })

  it('calls back what is passed by proxy, both ways and in turn', async () => {
    const { remote } = exposed({
      twice: async (callback: (n: number) => Promise<number>) => [await callback(1), await callback(2)],
      adder: (by: number) => Comlink.proxy((n: number) => n + by),
      through: (object: object) => Comlink.proxy({ object: () => object }),
    })
    expect(await remote.twice(Comlink.proxy((n: number) => n * 10))).toEqual([10, 20])
    const addFive = await remote.adder(5)
    expect(await addFive(1)).toBe(6)
    const results = await Promise.all(Array.from({ length: 50 }, async (_, i) => (await remote.adder(i))(1)))
    expect(results).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  })

  it('passes on several proxies in one call', async () => {
    const { remote } = exposed({ both: async (a: Anything, b: Anything) => [await a(), await b()] })
    const answer = remote.both(
      Comlink.proxy(() => 'a'),
      Comlink.proxy(() => 'b'),
    )
    expect(await answer).toEqual(['a', 'b'])
  })

  it('tells the finalizer of what the peer releases, and refuses calls of it then', async () => {
    const { object, released } = finalized()
    const { remote } = exposed({ give: () => object })
    const given = await remote.give()
    const [again] = [await given[Comlink.createEndpoint]()]
    const other = Comlink.wrap<Anything>(again)
    expect(await other.name).toBe('finalized')
    other[Comlink.releaseProxy]() // it alone
    expect(await given.name).toBe('finalized')
    const third = Comlink.wrap<Anything>(await given[Comlink.createEndpoint]())
    given[Comlink.releaseProxy]()
    await until(released)
    await expect(third.name).rejects.toThrow('released')
  })

  it('releases what was passed when the stream ends', async () => {
    const { object, released } = finalized()
    const { remote, streams } = exposed({ give: () => object })
    await remote.give()
    streams[0].destroy()
    await until(released)
  })

  it('refuses calls of an object that was released as a whole', async () => {
    const { remote, near } = exposed({ fine: () => 1 })
    expect(await remote.fine()).toBe(1)
    const other = Comlink.wrap<Anything>(near)
    remote[Comlink.releaseProxy]()
    await other.fine().catch(() => {}) // comlink takes a moment
    await expect(other.fine()).rejects.toThrow('released')
  })

  it('leaves proxies to other endpoints as they were', async () => {
    exposed({}) // it has put its handler in place
    const { port1, port2 } = new MessageChannel()
    onTestFinished(() => port1.close())
    Comlink.expose({ call: (callback: () => unknown) => callback() }, port2 as never)
    const remote = Comlink.wrap<Anything>(port1 as never)
    expect(await remote.call(Comlink.proxy(() => 'by a port'))).toBe('by a port')
  })

  it('gives up what is transferred, as a port would', async () => {
    const { remote } = exposed({ length: (buffer: ArrayBuffer) => buffer.byteLength })
    const buffer = new ArrayBuffer(8)
    expect(await remote.length(Comlink.transfer(buffer, [buffer]))).toBe(8)
    expect(buffer.byteLength).toBe(0)
  })

  it('refuses ports of others, and proxies that are not values by themselves', async () => {
    const { remote } = exposed({ fine: (value: unknown) => value })
    const { port1 } = new MessageChannel()
    onTestFinished(() => port1.close())
    const call = remote.fine(Comlink.transfer({ port1 }, [port1 as never]))
    await expect(call).rejects.toThrow('a MessagePort cannot cross a stream')
    await expect(remote.fine(() => {})).rejects.toBeInstanceOf(UsageError)
    expect(await remote.fine(1)).toBe(1)
  })

  it('passes no more proxies than the peer may hold', async () => {
    const { remote } = exposed({ give: () => Comlink.proxy(() => 1) }, { maxProxies: 2 })
    const given = [await remote.give(), await remote.give()]
    await expect(remote.give()).rejects.toThrow('maxProxies')
    given[0][Comlink.releaseProxy]()
    await until(() => true)
    const more = await remote.give()
    expect(await more()).toBe(1)
  })

  it('releases what a call gives whose proxy was released meanwhile', async () => {
    const answers: ((object: object) => void)[] = []
    const make = () => new Promise<object>((resolve) => answers.push(resolve))
    const { remote } = exposed({ maker: () => Comlink.proxy({ make }), fine: () => 1 }, { maxProxies: 2 })
    for (let round = 0; round < 6; round++) {
      const maker = await remote.maker()
      void maker.make()
      maker[Comlink.releaseProxy]()
      await remote.fine()
      const { object, released } = finalized()
      answers[round]?.(object)
      await until(released)
    }
  })

  it('releases what is passed to something that was released', async () => {
    const { remote, near } = exposed({ heard: () => 1 })
    const other = Comlink.wrap<Anything>(near)
    remote[Comlink.releaseProxy]()
    await other.heard().catch(() => {}) // comlink takes a moment
    const { object, released } = finalized()
    await expect(other.heard(object)).rejects.toThrow('released')
    await until(released)
  })

  it('rejects what is pending with what ended the stream', async () => {
    const { remote, near, far, streams } = exposed({ hang: () => new Promise(() => {}) })
    const pending = remote.hang()
    far.close()
    await expect(pending).rejects.toMatchObject({ constructor: RpcError, type: 'disconnected' })
    await expect(remote.hang()).rejects.toMatchObject({ type: 'disconnected' })
    near.close()
    await until(() => streams.every(({ destroyed }) => destroyed))
  })

  it('rejects what is pending when it is closed, and ends the stream', async () => {
    const { remote, near, streams } = exposed({ hang: () => new Promise(() => {}) })
    const pending = remote.hang()
    near.close()
    await expect(pending).rejects.toBeInstanceOf(ClosedError)
    await until(() => streams.every(({ destroyed }) => destroyed))
  })
})

describe('descriptors in comlink', () => {
  it('travel at any depth, are lent to a call, and closed behind it', async () => {
    const seen: Descriptor[] = []
    const { remote } = exposed({
      look: ({ files }: { files: Descriptor[] }) => {
        seen.push(...files)
        return files.map(nameOf)
      },
    })
    const files = ['a', 'b'].map(named)
    expect(await remote.look({ files })).toEqual(['a', 'b'])
    expect(seen.map(({ closed }) => closed)).toEqual([true, true])
    expect(files.map(({ closed }) => closed)).toEqual([false, false])
    for (const file of files) file.close()
  })

  it('travel through proxies and properties too', async () => {
    const { remote } = exposed({
      reader: () =>
        Comlink.proxy({ read: (file: Descriptor) => nameOf(file), open: (name: string) => ({ file: named(name) }) }),
    })
    using file = named('lent')
    const reader = await remote.reader()
    expect(await reader.read(file)).toBe('lent')
    const { file: opened } = await reader.open('opened')
    expect(nameOf(opened)).toBe('opened')
    opened.close()
  })

  it('leave no call pending when the peer refuses them', async () => {
    const [left, right] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
    Comlink.expose(
      { take: () => {} },
      streamEndpoint(destroyedAfterTest(adopt(right, { acceptDescriptors: false })), Comlink),
    )
    const remote = Comlink.wrap<Anything>(streamEndpoint(destroyedAfterTest(adopt(left)), Comlink))
    using file = named('refused')
    await expect(remote.take(file)).rejects.toBeInstanceOf(PillionError)
  })

  it('of an answer that nobody waits for are closed', async () => {
    const { streams, answers } = hostile({ fine: () => 1 })
    using file = named('unasked')
    sendValue(streams[1], [0, { id: 'nobody', type: 'RAW', value: file }])
    sendValue(streams[1], call(['fine']))
    expect(await answers(1)).toMatchObject([{ value: 1 }])
  })

  it('of calls that nothing is exposed for are closed, and the calls rejected', async () => {
    const { streams, answers } = hostile()
    using file = named('for nobody')
    for (let i = 0; i < 100; i++) sendValue(streams[1], call(['take'], { type: 'RAW', value: file }))
    sendValue(streams[1], [0, { id: 'get', type: 'GET', path: ['take'], beside: file }])
    const all = await answers(101)
    expect(all.map(({ name }) => name)).toEqual(Array(101).fill('throw'))
  })

  it('of calls behind the release of what was exposed are closed, and the calls rejected', async () => {
    const { object, released } = finalized()
    const { remote, near, far } = exposed(object)
    const another = Comlink.wrap<Anything>(near)
    Comlink.wrap(far)
    remote[Comlink.releaseProxy]()
    await until(released)
    using file = named('late')
    await expect(another.take(file)).rejects.toThrow('not exposed')
  })

  it('of a call that runs when the stream ends are the method’s until it is done', async () => {
    let end: () => void = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const seen: Descriptor[] = []
    const keep = async (file: Descriptor) => {
      seen.push(file)
      await ended
      return nameOf(file)
    }
    const { remote, streams } = exposed({ keep })
    using file = named('kept')
    const lost = expect(remote.keep(file)).rejects.toThrow()
    await until(() => seen.length > 0)
    streams[0].destroy()
    await lost
    await until(() => streams[1].destroyed)
    expect(nameOf(seen[0] as Descriptor)).toBe('kept')
    end()
    await until(() => seen[0]?.closed === true)
  })

  it('fail a call that comes with more than methods that are not done may hold, and it alone', async () => {
    const seen: Descriptor[] = []
    let finish: () => void = () => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const hang = (...files: Descriptor[]) => {
      seen.push(...files)
      return finished
    }
    const { remote } = exposed({ hang, fine: () => 1 }, { maxUntaken: 10 })
    using file = named('held')
    const calls = Array.from({ length: 5 }, () => remote.hang(file, file))
    await expect(remote.hang(file)).rejects.toMatchObject({
      name: 'RpcError',
      message: expect.stringMatching('maxUntaken'),
    })
    expect(seen).toHaveLength(10)
    expect(await remote.fine()).toBe(1)
    Descriptor.own(seen[0]?.take() as number).close()
    const one = remote.hang(file)
    finish()
    await Promise.all([...calls, one])
    for (let i = 0; i < 30; i++) await remote.hang(file)
    await until(() => seen.every(({ closed }) => closed))
  })

  it('of a call whose proxy is released meanwhile are closed at both ends', async () => {
    let answer: (file: Descriptor) => void = () => {}
    const opened = new Promise<Descriptor>((resolve) => {
      answer = resolve
    })
    const { remote } = exposed({ reader: () => Comlink.proxy({ open: (_file: Descriptor) => opened }), fine: () => 1 })
    const reader = await remote.reader()
    using file = named('lent')
    void reader.open(file)
    reader[Comlink.releaseProxy]()
    await remote.fine()
    answer(named('late'))
    await remote.fine()
  })
})
