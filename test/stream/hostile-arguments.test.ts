/** Arguments that run code of their own, or are of the wrong kind: nothing leaks, and no later warning is swallowed. */
import { describe, expect, test } from 'vitest'
import { raw } from '../../src/framing/index.js'
import { ClosedError, connect, pair, type StreamOptions, UsageError } from '../../src/stream/index.js'
import { Listener } from '../../src/transport/index.js'
import { fill, named, pattern, streamPair, take, turns } from '../support/streams.js'

test('an option that is no AbortSignal is a UsageError, and leaves nothing open', async () => {
  expect(() => pair({ signal: true as unknown as AbortSignal })).toThrow(UsageError)
  const [a] = streamPair()
  fill(a, pattern(16_000))
  await expect(a.flush({ signal: true as unknown as AbortSignal })).rejects.toThrow(UsageError)
})

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'an option whose getter throws at its reading %i leaves nothing open',
  (reading) => {
    let readings = 0
    const options: StreamOptions = {
      get maxPayload(): number {
        if (++readings === reading) throw new Error('thrown by a getter')
        return 100
      },
    }
    try {
      for (const end of pair(options)) end.destroy()
      expect(readings).toBeLessThan(reading)
    } catch (error) {
      expect(error).toEqual(new Error('thrown by a getter'))
    }
  },
)

test('a `transfer` whose getter destroys the stream leaves the descriptor with the caller', () => {
  const [a] = streamPair()
  using file = named('file')
  const options = {
    get transfer(): boolean {
      a.destroy()
      return true
    },
  }
  expect(() => a.send(Buffer.from('x'), [file], options)).toThrow(ClosedError)
  expect(file.closed).toBe(false)
})

test('who has stopped waiting, for whatever it was, does not count as told', async () => {
  const [a] = streamPair()
  fill(a, pattern(16_000))
  const stop = new AbortController()
  const { signal } = stop
  const waiting = [a.drained({ signal }), a.flush({ signal }), a.end({ signal })]
  stop.abort(new Error('stopped'))
  for (const promise of waiting) await expect(promise).rejects.toThrow('stopped')
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  a.destroy(new Error('a bad end'))
  await turns()
  process.off('warning', onWarning)
  expect(warnings.map((warning) => (warning as NodeJS.ErrnoException).code)).toEqual(['PILLION_UNOBSERVED_ERROR'])
})

const sideways = { ...raw(), pairing: 'sideways' }

test.each([{ codec: {} }, { codec: sideways }, { codec: 'pillion' }, { highWaterMark: '5' }, { memfdFrom: '5' }])(
  'an option of the wrong kind is a UsageError: %o',
  (options) => {
    expect(() => pair(options as unknown as StreamOptions)).toThrow(UsageError)
  },
)

test('an `authorize` that answers with a promise refuses, and its rejection ends nothing', async () => {
  const listener = await Listener.listen('@pillion-test-async-authorize', {
    authorize: (async () => {
      throw new Error('too late')
    }) as unknown as () => boolean,
  })
  const refused = new Promise((resolve) => {
    listener.accept({ onConnection: () => {}, onError: () => {}, onRefused: (_peer, error) => resolve(error) })
  })
  const stream = await connect('@pillion-test-async-authorize')
  expect(await refused).toBeInstanceOf(UsageError)
  stream.destroy()
  listener.close()
  await turns() // an unhandled rejection would fail the run
})

describe('a payload that lies about its length', () => {
  const stale = 'what another frame held'

  class Lying extends Uint8Array {
    override get length(): number {
      return 64
    }
    override get byteLength(): number {
      return 64
    }
  }
  const subclassed = (length: number) => new Lying(length).fill(1)
  const withOwn = (length: number) => Object.defineProperty(new Uint8Array(length).fill(1), 'length', { value: 64 })
  const wavering = (length: number) => {
    let readings = 0
    return Object.defineProperty(new Uint8Array(length).fill(1), 'length', {
      get: () => (readings++ === 0 ? length : 64),
    })
  }

  describe.each([
    ['by its class', subclassed],
    ['by a property of its own', withOwn],
    ['at the second reading', wavering],
  ])('%s', (_how, lying) => {
    test.each([
      ['short', 3, (bytes: Uint8Array) => bytes],
      ['long', 20_000, (bytes: Uint8Array) => bytes],
      ['in chunks', 3, (bytes: Uint8Array) => [bytes, Buffer.from('')]],
    ])('and is %s is sent as it is', async (_which, length, wrap) => {
      const [a, b] = streamPair()
      a.send(Buffer.from(stale.repeat(10)))
      await a.flush() // the memory is used again
      a.send(wrap(lying(length)))
      const [, frame] = await take(b, 2)
      expect(Buffer.from(frame!.payload)).toEqual(Buffer.alloc(length, 1))
    })
  })

  test('or only claims to be one is a UsageError', () => {
    const [a] = streamPair()
    for (const payload of [
      Object.create(Uint8Array.prototype),
      Object.create(Buffer.prototype),
      new DataView(new ArrayBuffer(1)),
    ]) {
      expect(() => a.send(payload)).toThrow(UsageError)
      expect(() => a.send([payload])).toThrow(UsageError)
    }
  })
})
