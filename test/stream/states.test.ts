/** Each method in each state: what it gives or throws. A table, so that nothing is left out. */
import { describe, expect, test } from 'vitest'
import { adopt, type Frame, type FrameStream, type StreamOptions, UsageError } from '../../src/stream/index.js'
import { adoptOwned } from '../../src/transport/descriptor.js'
import { pairUnix } from '../../src/transport/index.js'
import { destroyedAfterTest, fill, named, readinesses, streamPair, turns, until } from '../support/streams.js'

const dispose = (frame: Frame): void => frame[Symbol.dispose]()

/** What a call came to: its value, `pending`, or a class of error. */
type Outcome = 'ok' | 'true' | 'false' | 'done' | 'frame' | 'pending' | 'ClosedError' | 'UsageError' | 'Error'

const calls: Record<string, (stream: FrameStream) => unknown> = {
  send: (stream) => stream.send(Buffer.from('x')),
  'send with a descriptor': (stream) => {
    using descriptor = named('x')
    return stream.send(Buffer.from('x'), [descriptor], { transfer: true })
  },
  'send nothing': (stream) => stream.send(new Uint8Array(0)),
  drained: (stream) => stream.drained(),
  flush: (stream) => stream.flush(),
  end: (stream) => stream.end(),
  closed: (stream) => stream.closed,
  next: (stream) => stream[Symbol.asyncIterator]().next(),
  on: (stream) => stream.on('frame', dispose),
  once: (stream) => stream.once('frame', dispose),
  onBatch: (stream) => stream.onBatch(() => {}),
  pause: (stream) => stream.pause(),
  resume: (stream) => stream.resume(),
  ref: (stream) => stream.ref(),
  unref: (stream) => stream.unref(),
  peer: (stream) => stream.peer,
  stats: (stream) => stream.stats,
  readable: (stream) => stream.readable,
  writable: (stream) => stream.writable,
  stopReceiving: (stream) => stream.stopReceiving(),
  detach: (stream) => stream.detach().socket.close(),
  destroy: (stream) => stream.destroy(),
  dispose: (stream) => stream[Symbol.asyncDispose](),
}

interface State {
  /** Of `stream` alone. */
  readonly options?: StreamOptions
  /** Brings `stream` there; `peer` is its other end. */
  reach(stream: FrameStream, peer: FrameStream): Promise<void> | void
  /** Where it differs from an open stream. */
  readonly differs: Partial<Record<keyof typeof calls, Outcome>>
}

const open: Record<string, Outcome> = {
  send: 'true',
  'send with a descriptor': 'true',
  'send nothing': 'true',
  drained: 'ok',
  flush: 'ok',
  end: 'ok',
  closed: 'pending',
  next: 'pending',
  on: 'ok',
  once: 'ok',
  onBatch: 'ok',
  pause: 'ok',
  resume: 'ok',
  ref: 'ok',
  unref: 'ok',
  peer: 'ok',
  stats: 'ok',
  readable: 'ok',
  writable: 'ok',
  stopReceiving: 'ok',
  detach: 'UsageError',
  destroy: 'ok',
  dispose: 'ok',
}

const sendsNoMore = {
  send: 'ClosedError',
  'send with a descriptor': 'ClosedError',
  'send nothing': 'ClosedError',
} as const
const iterated = {
  on: 'UsageError',
  once: 'UsageError',
  onBatch: 'UsageError',
  next: 'UsageError',
  readable: 'UsageError',
  stopReceiving: 'pending',
} as const
const heard = { next: 'UsageError', onBatch: 'UsageError', readable: 'UsageError' } as const
const gone = {
  ...sendsNoMore,
  drained: 'ClosedError',
  flush: 'ClosedError',
  end: 'ClosedError',
  next: 'done',
  closed: 'ok',
  stopReceiving: 'ClosedError',
  detach: 'ClosedError',
} as const

const states: Record<string, State> = {
  open: { reach: () => {}, differs: {} },
  paused: { reach: (stream) => void stream.pause(), differs: {} },
  'listened to': { reach: (stream) => void stream.on('frame', dispose), differs: heard },
  'listened to and paused': { reach: (stream) => void stream.on('frame', dispose).pause(), differs: heard },
  batched: { reach: (stream) => stream.onBatch(() => {}), differs: { ...heard, on: 'UsageError', once: 'UsageError' } },
  iterated: { reach: (stream) => void stream[Symbol.asyncIterator](), differs: iterated },
  'over its mark': {
    reach: (stream) => void fill(stream),
    differs: {
      send: 'false',
      'send with a descriptor': 'false',
      'send nothing': 'false',
      drained: 'pending',
      flush: 'pending',
      end: 'pending',
      dispose: 'pending',
    },
  },
  'with frames to be taken': {
    reach: (_stream, peer) => {
      for (let i = 0; i < 3; i++) peer.send(Buffer.from('y'), [named(i)], { transfer: true })
    },
    differs: { next: 'frame' },
  },
  ended: { reach: (stream) => stream.end(), differs: sendsNoMore },
  ending: {
    reach: (stream) => {
      fill(stream)
      void stream.end()
    },
    differs: { ...sendsNoMore, drained: 'pending', flush: 'pending', end: 'pending', dispose: 'pending' },
  },
  'half-closed by the peer, which nobody has noticed': {
    reach: (_stream, peer) => peer.end(),
    differs: { next: 'done' },
  },
  'half-closed by the peer': {
    reach: async (stream, peer) => {
      const ended = new Promise<void>((resolve) => stream.once('end', resolve))
      stream.on('frame', dispose)
      await peer.end()
      await ended
    },
    differs: { ...heard },
  },
  'ended on both sides': {
    reach: async (stream, peer) => {
      await Promise.all([stream.end(), peer.end()])
      await stream.closed
    },
    differs: { ...gone, drained: 'ok', flush: 'ok', end: 'ok', stopReceiving: 'ok' },
  },
  'stopped receiving': { reach: (stream) => stream.stopReceiving(), differs: { next: 'done', detach: 'ok' } },
  detached: {
    reach: async (stream) => {
      await stream.stopReceiving()
      stream.detach().socket.close()
    },
    differs: { ...gone, stopReceiving: 'ok' },
  },
  destroyed: { reach: (stream) => stream.destroy(), differs: { ...gone } },
  'destroyed with an error': {
    reach: (stream) => {
      stream.on('error', () => {})
      stream.destroy(new Error('why'))
    },
    differs: {
      ...gone,
      drained: 'Error',
      flush: 'Error',
      end: 'Error',
      closed: 'Error',
      next: 'Error',
      stopReceiving: 'Error',
    },
  },
  'whose peer has gone, found out by sending': {
    reach: (stream, peer) => {
      stream.on('error', () => {})
      peer.destroy()
      stream.send(Buffer.from('x'))
    },
    differs: {
      ...gone,
      drained: 'Error',
      flush: 'Error',
      end: 'Error',
      closed: 'Error',
      next: 'Error',
      stopReceiving: 'Error',
    },
  },
  'broken by the peer, with a frame that nobody has taken': {
    options: { maxPayload: 10 },
    reach: async (stream, peer) => {
      await stream.end() // it receives from now on, to know when the peer ends
      peer.send(Buffer.from('y'), [named('y')], { transfer: true })
      peer.send(new Uint8Array(11))
      await until(() => stream.stats.received.bytes === 28)
    },
    differs: {
      ...sendsNoMore,
      drained: 'Error',
      flush: 'Error',
      next: 'frame',
      stopReceiving: 'Error',
      detach: 'ClosedError',
    },
  },
}

describe.each(readinesses)('with readiness %s', (readiness) => {
  describe.each(Object.entries(states))('%s', (_name, { options, reach, differs }) => {
    test.each(Object.entries(calls))('%s', async (method, call) => {
      const [stream, peer] = streamsOver(pairUnix(), { ...options, readiness })
      stream.on('error', () => {})
      peer.on('error', () => {})
      await reach(stream, peer)
      expect(await outcomeOf(() => call(stream))).toBe({ ...open, ...differs }[method])
      await turns(1)
    })
  })
})

describe.each(['frame', 'onBatch', 'drain', 'end', 'close', 'error'] as const)('inside a callback of %s', (event) => {
  test.each(Object.entries(calls))('%s neither crashes nor hangs', async (_method, call) => {
    const [stream, peer] = streamPair({ highWaterMark: 1000 })
    peer.on('error', () => {})
    let outcome: Promise<Outcome> | undefined
    const inside = () => {
      outcome ??= outcomeOf(() => call(stream))
    }
    if (event === 'onBatch') stream.onBatch(inside)
    else if (event === 'frame') {
      stream.on('frame', (frame) => {
        frame[Symbol.dispose]()
        inside()
      })
    } else {
      stream.on(event, inside)
      stream.on('frame', dispose)
    }
    if (event !== 'error') stream.on('error', () => {})
    fill(stream)
    for (let i = 0; i < 3; i++) peer.send(Buffer.from('y'), [named(i)], { transfer: true })
    if (event !== 'end') peer.on('frame', dispose)
    if (event === 'end') void peer.end()
    if (event === 'close') stream.destroy()
    if (event === 'error') stream.destroy(new Error('why'))
    await until(() => outcome !== undefined, `the callback of ${event}`)
    expect(await outcome).toMatch(/^(ok|true|false|done|frame|pending|ClosedError|UsageError|Error)$/)
    stream.destroy()
    await turns(1)
  })
})

function streamsOver([ours, theirs]: readonly [number, number], options: StreamOptions): [FrameStream, FrameStream] {
  return [destroyedAfterTest(adopt(adoptOwned(ours), options)), destroyedAfterTest(adopt(adoptOwned(theirs)))]
}

async function outcomeOf(call: () => unknown): Promise<Outcome> {
  try {
    const value = call()
    if (value === true || value === false) return value ? 'true' : 'false'
    if (!(value instanceof Promise)) return 'ok'
    return await Promise.race([value.then(describeResult), turns(8).then((): Outcome => 'pending')])
  } catch (error) {
    if (error instanceof UsageError) return 'UsageError'
    return (error as Error).name === 'ClosedError' ? 'ClosedError' : 'Error'
  }
}

function describeResult(result: unknown): Outcome {
  if (typeof result !== 'object' || result === null || !('done' in result)) return 'ok'
  const { done, value } = result as IteratorResult<Frame, undefined>
  if (!done) value[Symbol.dispose]()
  return done ? 'done' : 'frame'
}
