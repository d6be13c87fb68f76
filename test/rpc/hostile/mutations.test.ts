/**
 * Sequences of messages that are in order, with bytes changed, frames left out, doubled or exchanged: whatever comes of it,
 * the session goes on or ends, and nothing is left behind. In memory and over sockets.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { callContext, MemoryTransport, RpcSession, RpcTarget, type RpcTransport } from '../../../src/rpc/index.js'
import type { Message } from '../../../src/rpc/machine/messages.js'
import { PillionWire } from '../../../src/rpc/wire/pillion-wire.js'
import { contentOf } from '../../../src/rpc/wire/wire.js'
import { Descriptor, pair } from '../../../src/stream/index.js'
import { messageVectors } from '../vectors/vectors.js'

class Main extends RpcTarget {
  #calls = 0

  add(a: unknown, b: unknown): unknown {
    return [a, b]
  }

  take(value: unknown): unknown {
    return value
  }

  fresh(): RpcTarget {
    this.#calls++
    return new Main()
  }

  wait(): Promise<unknown> {
    const { signal } = callContext()
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }

  get name(): string {
    return `main ${this.#calls}`
  }
}

const wire = new PillionWire()
const bytesOf = (message: Message): Uint8Array => Buffer.concat([wire.encode(message), ...contentOf(message)])
const call = (questionId: number, method: string, content: string): Uint8Array =>
  Buffer.concat([
    Buffer.from([2, questionId, 0, 0, 0, 1, 0, method.length]),
    Buffer.from(method),
    Buffer.from(`00${content}`, 'hex'),
  ])

/** All in order, one behind the other; and all the vectors. */
const valid: readonly Uint8Array[] = [
  bytesOf({ type: 'bootstrap', questionId: 0 }),
  call(1, 'add', '920102'),
  call(2, 'fresh', '90'),
  call(3, 'wait', '9181a100920d00'),
  call(4, 'take', '91c403010203'),
  call(5, 'take', '9181a100920d00'),
  bytesOf({ type: 'finish', questionId: 2, releaseResultCaps: true }),
  bytesOf({ type: 'finish', questionId: 3, releaseResultCaps: false }),
  ...messageVectors.messages.map(({ hex }) => Buffer.from(hex, 'hex')),
]

const mutation = fc.oneof(
  fc.record({ kind: fc.constant('byte' as const), frame: fc.nat(60), at: fc.nat(40), value: fc.nat(255) }),
  fc.record({
    kind: fc.constantFrom('drop' as const, 'double' as const, 'cut' as const),
    frame: fc.nat(60),
    at: fc.nat(40),
    value: fc.nat(255),
  }),
  fc.record({ kind: fc.constant('exchange' as const), frame: fc.nat(60), at: fc.nat(60), value: fc.constant(0) }),
)

function mutated(mutations: readonly { kind: string; frame: number; at: number; value: number }[]): Uint8Array[] {
  const frames: Uint8Array[] = valid.map((frame) => Uint8Array.from(frame))
  for (const { kind, frame, at, value } of mutations) {
    const i = frame % frames.length
    const bytes = frames[i] as Uint8Array
    if (kind === 'byte') bytes[at % bytes.length] = value
    else if (kind === 'drop') frames.splice(i, 1)
    else if (kind === 'double') frames.splice(i, 0, Uint8Array.from(bytes))
    else if (kind === 'cut') frames[i] = bytes.slice(0, at % (bytes.length + 1))
    else {
      const j = at % frames.length
      frames[i] = frames[j] as Uint8Array
      frames[j] = bytes
    }
  }
  return frames
}

async function survives(
  session: RpcSession,
  send: (frame: Uint8Array, files: Descriptor[]) => void,
  end: () => void,
  frames: Uint8Array[],
): Promise<void> {
  const closed = session.closed.then(
    () => 'closed',
    (error: { code?: string }) => error.code,
  )
  for (const frame of frames) send(frame, frame[0] === 2 ? [Descriptor.memfd(new Uint8Array(1))] : [])
  end()
  expect(['closed', 'ERR_PILLION_RPC']).toContain(await closed)
  await session.close()
  expect(session.getStats()).toEqual({ imports: 0, exports: 0 })
}

it('survives sequences of messages with faults, in memory', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { maxLength: 12 }), async (mutations) => {
      const [a, b] = MemoryTransport.pair() as [RpcTransport, RpcTransport]
      const session = new RpcSession(b, new Main())
      a.start({
        onFrame: (_payload, descriptors) => {
          for (const descriptor of descriptors) descriptor.close()
        },
        onBatchEnd: () => {},
        onEnd: () => {},
      })
      await survives(
        session,
        (frame, files) => a.send(frame, [], files),
        () => a.close(),
        mutated(mutations),
      )
    }),
    { numRuns: 400, seed: 5 },
  )
})

it('survives sequences of messages with faults, over sockets', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { maxLength: 12 }), async (mutations) => {
      const [a, b] = pair()
      const session = new RpcSession(b, new Main())
      a.on('frame', ({ descriptors }) => {
        for (const descriptor of descriptors) descriptor.close()
      })
      a.on('error', () => {}) // the session may have ended before all was sent
      const send = (frame: Uint8Array, files: Descriptor[]): void => {
        a.send(frame, files)
        for (const file of files) file.close()
      }
      await survives(session, send, () => void a.end().catch(() => {}), mutated(mutations))
      a.destroy()
    }),
    { numRuns: 100, seed: 6 },
  )
})
