/** The kit for authors, over the birpc adapter. */
import { createBirpc } from 'birpc'
import { describe, test } from 'vitest'
import { overStream } from '../../src/adapters/birpc/index.js'
import { type CallAdapter, type CallEnd, callCases } from '../../src/adapters/testing/index.js'
import { packValue, unpackValue } from '../../src/rpc/index.js'
import type { Descriptor, FrameStream } from '../../src/stream/index.js'

type Anything = Record<string, (...args: unknown[]) => unknown>

function endOf(stream: FrameStream, functions: object): CallEnd {
  const rpc = overStream(stream, (channel) => createBirpc<Anything, object>(functions, { ...channel, timeout: -1 }))
  return {
    call: (method, ...args) => rpc.$call(method, ...args),
    tell: (method, ...args) => void rpc.$callEvent(method, ...args).catch(() => {}), // at the end it says so
    close: () => rpc.$close(),
  }
}

const adapter: CallAdapter = {
  descriptors: 'carried',
  attach: endOf,
  attachClient: (stream) => endOf(stream, {}),
  samples: [
    undefined,
    null,
    -0,
    { when: new Date(7), bytes: new Uint8Array([1, 2, 3]), big: 2n ** 80n, set: new Set([1, 'a']) },
    new Map([[{ a: 1 }, [undefined]]]),
  ],
  hostile: [
    null,
    7,
    [],
    {},
    { t: 'q' },
    { t: 'q', m: 7, a: [] },
    { t: 'q', m: 'echo', a: null },
    { t: 'q', m: '__proto__', a: [], i: '1' },
    { t: 'q', m: 'constructor', a: ['return process'], i: '1' },
    { t: 'q', m: '__defineGetter__', a: ['x'], i: '1' },
    { t: 'q', m: 'fail', a: ['no matter'] },
    { t: 's', i: 7 },
    { t: 's', i: 'nobody', r: 1 },
    { t: 's', i: 'constructor', r: 1 },
  ].map((message) => packValue(message).payload),
  hostileAnswers: [
    (i: unknown, file: unknown) => ({ t: 's', i, r: file }),
    (i: unknown, file: unknown) => ({ t: 's', i, e: { file } }),
    (i: unknown, file: unknown) => ({ t: 's', i, r: 1, junk: file }),
    (i: unknown, file: unknown) => ({ t: 's', i, r: file, e: 1 }),
    (i: unknown, file: unknown) => ({ t: file, i, r: 1 }),
    (_i: unknown, file: unknown) => ({ t: 's', i: 'nobody', r: file }),
  ].map((answer) => (call: Uint8Array, file: Descriptor) => {
    const { i } = unpackValue({ payload: call, descriptors: [], lost: 0 }).value as { i: unknown }
    return packValue(answer(i, file))
  }),
}

describe('the birpc adapter', () => {
  for (const { name, run } of callCases(adapter)) test(name, run)
})
