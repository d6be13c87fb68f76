/** What birpc's documentation promises, over a stream; and what only a stream and descriptors bring. */
import { createBirpc, createBirpcGroup } from 'birpc'
import { describe, expect, it, vi } from 'vitest'
import { birpcChannel, overStream } from '../../src/adapters/birpc/index.js'
import { RpcError, sendValue, unpackValue } from '../../src/rpc/index.js'
import { adopt, Descriptor, type Frame, type FrameStream, PillionError, UsageError } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { destroyedAfterTest, named, nameOf, streamPair, take, turns, until } from '../support/streams.js'

// biome-ignore lint/suspicious/noExplicitAny: the remote's functions are of no interest to the types here
type Remote = Record<string, (...args: any[]) => Promise<any>>

interface EndOptions {
  readonly functions?: object
  readonly eventNames?: string[]
  readonly maxQueued?: number
  readonly maxUntaken?: number
}

function end(stream: FrameStream, { functions = {}, eventNames = [], ...options }: EndOptions = {}) {
  return overStream(
    stream,
    (channel) => createBirpc<Remote>(functions as Record<string, unknown>, { ...channel, eventNames, timeout: -1 }),
    options,
  )
}

function ends(functions: object, options: Omit<EndOptions, 'functions'> = {}) {
  const [left, right] = streamPair()
  return { near: end(left, options), far: end(right, { functions }), streams: [left, right] as const }
}

/** Functions that are done when the test says so. */
function hanging() {
  const seen: Descriptor[] = []
  let finish: () => void = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const hang = (...args: unknown[]) => {
    seen.push(...(args.flat() as Descriptor[]))
    return finished
  }
  return { functions: { hang, fine: () => 1 }, seen, finish: () => finish() }
}

describe('birpc over a stream', () => {
  it('calls both ways, awaits what is asynchronous, and keeps the types of values', async () => {
    const [left, right] = streamPair()
    const near = end(left, { functions: { whoami: () => 'near' } })
    const far = end(right, { functions: { later: async (value: unknown) => [value, await far.whoami?.()] } })
    const value = {
      when: new Date(5),
      ids: new Map([[1n, new Set(['a'])]]),
      nothing: undefined,
      bytes: new Uint8Array(3),
    }
    expect(await near.later?.(value)).toEqual([value, 'near'])
  })

  it('sends events, of which nobody waits for an answer', async () => {
    const heard = vi.fn()
    const { near, streams } = ends({ heard, count: () => heard.mock.calls.length }, { eventNames: ['heard'] })
    await near.heard?.('a')
    await near.$callEvent('heard', 'b')
    expect(await near.count?.()).toBe(2)
    expect(streams[0].stats.received.frames).toBe(1)
  })

  it('rejects with what a function throws, its code too, and calls optionally what is not there', async () => {
    const failing = () => {
      throw Object.assign(new RangeError('out of range'), { code: 'E_RANGE' })
    }
    const { near } = ends({ failing })
    await expect(near.failing?.()).rejects.toMatchObject({
      name: 'RangeError',
      message: 'out of range',
      code: 'E_RANGE',
    })
    await expect(near.missing?.()).rejects.toThrow('function "missing" not found')
    expect(await near.$callOptional('missing')).toBeUndefined()
  })

  it('finds what functions are replaced by, and methods of a class', async () => {
    class Counter {
      #count = 0
      next(): number {
        return ++this.#count
      }
    }
    const [left, right] = streamPair()
    const near = end(left)
    const far = overStream(right, (channel) => createBirpc(new Counter(), { ...channel, bind: 'functions' }))
    expect([await near.next?.(), await near.next?.()]).toEqual([1, 2])
    Object.assign(far.$functions, { next: () => 'another' })
    expect(await near.next?.()).toBe('another')
    await expect(near.$call('constructor')).rejects.toThrow('not found')
  })

  it('takes the place of another channel in a group', async () => {
    const pairs = [streamPair(), streamPair()]
    for (const [i, [, far]] of pairs.entries()) end(far, { functions: { name: () => i } })
    const channels = pairs.map(([near]) => birpcChannel(near))
    const group = createBirpcGroup<{ name(): number }>({}, channels)
    expect(await group.broadcast.name()).toEqual([0, 1])
    const hanging = group.broadcast.name()
    pairs[1]?.[0].destroy(new Error('lost'))
    await expect(hanging).rejects.toThrow('lost')
  })

  it('closes when the peer does, and rejects what is pending with a typed error', async () => {
    const { near, far, streams } = ends({ hang: () => new Promise(() => {}) })
    const pending = near.hang?.()
    far.$close()
    await expect(pending).rejects.toMatchObject({ constructor: RpcError, type: 'disconnected' })
    expect(near.$closed).toBe(true)
    await until(() => streams.every(({ destroyed }) => destroyed))
    await expect(near.hang?.()).rejects.toThrow('rpc is closed')
  })

  it('rejects what is pending with the error that ended the stream', async () => {
    const { near, streams } = ends({ hang: () => new Promise(() => {}) })
    const pending = near.hang?.()
    const lost = new Error('lost')
    streams[0].destroy(lost)
    await expect(pending).rejects.toBe(lost)
  })

  it('holds a call back while much waits to be sent', async () => {
    const [left, right] = streamPair()
    const near = end(left)
    const sent = near.$callEvent('heard', 'x'.repeat(4_000_000))
    let done = false
    sent.then(() => {
      done = true
    })
    await turns()
    expect(done).toBe(false)
    end(right, { functions: { heard: () => {} } })
    await sent
  })

  it('fails a call when too much waits for the peer to read it', async () => {
    const [left] = streamPair()
    const near = end(left, { maxQueued: 1_000_000 })
    const first = near.$callEvent('heard', 'x'.repeat(4_000_000))
    await expect(near.heard?.()).rejects.toMatchObject({ type: 'overloaded' })
    left.destroy()
    await first
  })

  it('cannot be ended with the process by events under way when the peer is lost', async () => {
    const { near, streams } = ends({}, { eventNames: ['log'] })
    streams[1].pause()
    const rejected = vi.fn()
    for (let i = 0; i < 30; i++) near.log?.('x'.repeat(20_000)).catch(rejected) // as a rule nobody would look
    await turns()
    streams[1].destroy()
    await until(() => near.$closed)
    await turns()
    expect(rejected).not.toHaveBeenCalled()
  })

  it('ends the stream if no birpc can be created over it', async () => {
    const [left, right] = streamPair()
    const create = () => {
      throw new Error('no functions')
    }
    expect(() => overStream(left, create)).toThrow('no functions')
    expect(left.destroyed).toBe(true)
    expect(await right[Symbol.asyncIterator]().next()).toMatchObject({ done: true })
  })

  it('tells the caller of a result that cannot travel, and names it', async () => {
    const { near } = ends({ bad: () => ({ list: [() => {}] }), fine: () => 1 })
    await expect(near.bad?.()).rejects.toThrow('value.r.list[0]: what is passed by reference')
    expect(await near.fine?.()).toBe(1)
    await expect(near.fine?.(Symbol('x'))).rejects.toThrow(UsageError)
  })

  it('is for one createBirpc', () => {
    const [left] = streamPair()
    const channel = birpcChannel(left)
    createBirpc({}, channel)
    expect(() => createBirpc({}, channel)).toThrow(UsageError)
  })
})

describe('descriptors in birpc', () => {
  it('are lent to a call, and closed behind it unless somebody took them', async () => {
    const kept: Descriptor[] = []
    const seen: Descriptor[] = []
    const { near } = ends({
      look: (file: Descriptor) => {
        seen.push(file)
        return nameOf(file)
      },
      keep: ({ file }: { file: Descriptor }) => void kept.push(Descriptor.own(file.take())),
    })
    using file = named('seven')
    expect(await near.look?.(file)).toBe('seven')
    await near.keep?.({ file })
    expect(file.closed).toBe(false)
    expect(seen.map(({ closed }) => closed)).toEqual([true])
    expect(kept.map(nameOf)).toEqual(['seven'])
    for (const one of kept) one.close()
  })

  it('of a call that runs when the stream ends are the function’s until it is done', async () => {
    let finish: () => void = () => {}
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const seen: Descriptor[] = []
    const keep = (file: Descriptor) => {
      seen.push(file)
      return finished
    }
    const { near, streams } = ends({ keep })
    using file = named('kept')
    const lost = expect(near.keep?.(file)).rejects.toThrow()
    await until(() => seen.length > 0)
    streams[0].destroy()
    await lost
    await until(() => streams[1].destroyed)
    expect(nameOf(seen[0] as Descriptor)).toBe('kept')
    finish()
    await until(() => seen[0]?.closed === true)
  })

  it('fail a call that comes with more than functions that are not done may hold, and it alone', async () => {
    const [left, right] = streamPair()
    const { functions, seen, finish } = hanging()
    const near = end(left)
    end(right, { functions, maxUntaken: 10 })
    using file = named('held')
    const calls = Array.from({ length: 5 }, () => near.hang?.(file, [file]))
    await expect(near.hang?.(file)).rejects.toMatchObject({
      name: 'RpcError',
      message: expect.stringMatching('maxUntaken'),
    })
    expect(seen).toHaveLength(10)
    expect(await near.fine?.()).toBe(1)
    Descriptor.own(seen[0]?.take() as number).close()
    const one = near.hang?.(file)
    finish()
    await Promise.all([...calls, one])
    for (let i = 0; i < 30; i++) await near.hang?.(file)
    expect(seen.every(({ closed }) => closed)).toBe(true)
  })

  it('end the stream where nobody could be told that an event comes with too many', async () => {
    const [left, right] = streamPair()
    const { functions, seen, finish } = hanging()
    const near = end(left, { eventNames: ['hang'] })
    end(right, { functions, maxUntaken: 10 })
    using file = named('held')
    for (let i = 0; i < 11; i++) near.hang?.(file).catch(() => {}) // as a rule nobody would look
    await expect(right.closed).rejects.toMatchObject({ type: 'overloaded' })
    expect(seen.map(({ closed }) => closed)).toEqual(Array(10).fill(false))
    finish()
    await until(() => seen.every(({ closed }) => closed))
  })

  it('are moved by a result', async () => {
    const made: Descriptor[] = []
    const make = (): Descriptor => {
      made.push(named('result'))
      return made[0] as Descriptor
    }
    const { near } = ends({ make })
    using result: Descriptor = await near.make?.()
    expect(nameOf(result)).toBe('result')
    expect(made[0]?.closed).toBe(true)
  })

  it('leave no call pending when the peer refuses them', async () => {
    const [left, right] = pairUnix().map(adoptOwned) as [Descriptor, Descriptor]
    const near = end(destroyedAfterTest(adopt(left)))
    end(destroyedAfterTest(adopt(right, { acceptDescriptors: false })), { functions: { take: () => {} } })
    using file = named('refused')
    await expect(near.take?.(file)).rejects.toBeInstanceOf(PillionError)
  })

  it('of an answer that nobody waits for are closed', async () => {
    const [left, right] = streamPair()
    const near = end(left, { functions: { fine: () => 1 } })
    using file = named('unasked')
    sendValue(right, { t: 's', i: 'nobody', r: file })
    sendValue(right, { t: 'q', m: 'fine', a: [], i: '1' })
    await take(right, 1)
    expect(near.$closed).toBe(false)
  })

  it('of an answer to a call that was given up are closed', async () => {
    let answer: (file: Descriptor) => void = () => {}
    const opened = new Promise<Descriptor>((resolve) => {
      answer = resolve
    })
    const { near } = ends({ open: () => opened, fine: () => 1 })
    await near.fine?.()
    const pending = near.open?.()
    near.$rejectPendingCalls() // as when its time is over
    await expect(pending).rejects.toThrow('rejected pending call')
    answer(named('late'))
    await near.fine?.()
  })

  it('are moved by what is thrown, and closed if the call was given up', async () => {
    const fail: ((error: Error) => void)[] = []
    const open = () => new Promise((_resolve, reject) => fail.push(reject))
    const { near } = ends({ open, fine: () => 1 })
    const calls = [near.open?.(), near.open?.()]
    await near.fine?.()
    fail[0]?.(new Error('first', { cause: named('thrown') }))
    const thrown: { cause: Descriptor } = await calls[0]?.catch((error: unknown) => error)
    expect(nameOf(thrown.cause)).toBe('thrown')
    thrown.cause.close()
    near.$rejectPendingCalls()
    await expect(calls[1]).rejects.toThrow('rejected pending call')
    fail[1]?.(new Error('second', { cause: named('late') }))
    await near.fine?.()
  })
})

describe('a hostile peer of birpc', () => {
  it.each([
    ['a result and an error', (file: Descriptor) => ({ e: 1, r: [file] })],
    ['a result and an error that is none', (file: Descriptor) => ({ e: null, r: [file] })],
    ['a result and something else', (file: Descriptor) => ({ r: 1, x: file })],
    ['a result and arguments', (file: Descriptor) => ({ r: 1, a: [file] })],
    ['an error and something else', (file: Descriptor) => ({ e: 'no', x: file })],
    ['neither result nor error', (file: Descriptor) => ({ x: file })],
  ])('ends the stream by an answer with %s, given up or not, and leaves no descriptor open', async (_what, parts) => {
    for (const givenUp of [false, true]) {
      const [left, right] = streamPair()
      const near = end(left)
      const pending = near.open?.()
      const [i] = await idsOf(right[Symbol.asyncIterator](), 1)
      if (givenUp) near.$rejectPendingCalls()
      using file = named('nobody’s')
      sendValue(right, { t: 's', i, ...parts(file) })
      await expect(pending).rejects.toThrow()
      await expect(left.closed).rejects.toMatchObject({ constructor: RpcError, origin: 'remote' })
    }
  })

  it('can send a descriptor as the error itself, the caller’s or nobody’s', async () => {
    const [left, right] = streamPair()
    const near = end(left, { functions: { fine: () => 1 } })
    const calls = [near.open?.(), near.open?.()]
    const frames = right[Symbol.asyncIterator]()
    const ids = await idsOf(frames, 2)
    using file = named('thrown')
    sendValue(right, { t: 's', i: ids[0], e: file })
    const thrown: Descriptor = await calls[0]?.catch((error: unknown) => error)
    expect(nameOf(thrown)).toBe('thrown')
    thrown.close()
    near.$rejectPendingCalls()
    await expect(calls[1]).rejects.toThrow('rejected pending call')
    sendValue(right, { t: 's', i: ids[1], e: file })
    sendValue(right, { t: 'q', m: 'fine', a: [], i: '1' })
    await take(frames, 1)
    expect(near.$closed).toBe(false)
  })

  it.each([
    ['no message', 7],
    ['a name that is none', { t: 'q', m: 7, a: [], i: '1' }],
    ['arguments that are none', { t: 'q', m: 'fine', a: 'x', i: '1' }],
    ['an answer to nobody in particular', { t: 's' }],
    ['another kind', { t: 'x', i: '1' }],
  ])('ends the stream by %s', async (_what, message) => {
    const [left, right] = streamPair()
    const near = end(left, { functions: { fine: () => 1 } })
    sendValue(right, message)
    right.on('frame', () => {})
    await expect(left.closed).rejects.toMatchObject({ constructor: RpcError, origin: 'remote' })
    expect(near.$closed).toBe(true)
  })

  it('reaches no name of a prototype', async () => {
    const [left, right] = streamPair()
    end(left, { functions: { fine: () => 1 } })
    const frames = right[Symbol.asyncIterator]()
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', '__defineGetter__', 'valueOf']) {
      sendValue(right, { t: 'q', m: name, a: ['x'], i: name })
    }
    const answers = await take(frames, 6)
    for (const { payload } of answers) expect(Buffer.from(payload).toString('latin1')).toContain('not found')
  })

  it('cannot end the process by a function that throws what cannot travel', async () => {
    const { near } = ends({
      throwing: () => {
        throw Object.assign(new Error('x'.repeat(100_000)), { cause: () => {} })
      },
    })
    await expect(near.throwing?.()).rejects.toThrow('value.e.cause')
  })
})

/** Of the next calls. */
async function idsOf(frames: AsyncIterator<Frame>, count: number): Promise<string[]> {
  return (await take(frames, count)).map((frame) => (unpackValue(frame).value as { i: string }).i)
}
